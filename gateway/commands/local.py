"""`route --local`: the gateway's own parts in this process, for one request."""

import asyncio
import logging
from pathlib import Path
from typing import Any

from gateway.app import build_parts, running
from gateway.config import load_config
from gateway.engines.configured import make_engine
from gateway.faces.parts import Parts
from gateway.observe import configure_logging
from gateway.pipeline import RouteRequest
from gateway.types import Message

LISTING_S = 30.0


async def route_here(
    config_file: Path, text: str, model: str, dispatch: bool, threshold: float | None
) -> dict[str, Any]:
    """The body that `POST /v1/route` would answer.

    Raises:
        PointsmanError: whatever the gateway would answer with a problem document.
    """
    config = load_config(config_file)
    configure_logging(config.log)
    logging.getLogger("gateway").setLevel(logging.WARNING)
    parts = build_parts(config, make_engine(config.engine, config.limits.engine_queue))
    async with running(parts):
        await _first_listings(parts, model)
        reply = await parts.pipeline.handle(
            RouteRequest((Message("user", text),), "cli", model, dispatch, threshold)
        )
        return reply.to_json()


async def _first_listings(parts: Parts, model: str) -> None:
    """Wait until every server of the model's toolset has listed. Raises UpstreamDown."""
    toolset = parts.active.resolve(model).toolset
    names = parts.config.servers_of(toolset)
    upstreams = [upstream for upstream in parts.watch.upstreams if upstream.name in names]
    await asyncio.gather(*(upstream.first_listing(LISTING_S) for upstream in upstreams))
