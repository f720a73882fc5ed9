"""`drift --measure`: what a drift costs, by replaying the rows that the adapter carries."""

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from gateway.commands.output import print_line, progress
from gateway.commands.preflight import Compared
from gateway.drift_policy import withheld
from gateway.engines.base import Engine
from gateway.errors import BadRequest, ConfigurationError
from gateway.impact.figure import Impact, flip_line, impact_of
from gateway.impact.replay import kept_proposals, kept_routes, replay
from gateway.impact.rows import EvalRow, read_eval_rows, spread
from gateway.kept import KeptAnswers
from gateway.manifest import Adapter
from gateway.types import Route

KEPT = Path(".pointsman/impact")
_SHOWN_FLIPS = 10


def measured(found: Compared, base_model: Path, limit: int | None, kept: Path = KEPT) -> Impact:
    """Replay an adapter's rows, at most `limit` of them, evenly spread.

    The model is loaded only for rows whose proposals are not kept yet beneath `kept`.

    Raises:
        BadRequest: the adapter has no drift, being asked with whatever is on offer.
        AdapterRefused: the adapter carries no rows, or the engine cannot load it.
        ConfigurationError: the embedded engine is not installed, or the base model is not there.
        EngineDown: the engine fails.
    """
    adapter = found.adapter
    if adapter.manifest.toolset_mode == "varied":
        raise BadRequest(
            f"{adapter.version} is asked with whatever is on offer: it has no drift to measure"
        )
    rows = spread(read_eval_rows(adapter), limit)
    proposals = kept_proposals(kept, adapter, len(rows))
    routes = [route for route in kept_routes(proposals, rows) if route is not None]
    if len(routes) < len(rows):
        routes = asyncio.run(_asked(adapter, base_model, rows, proposals))
    grades = withheld(found.policy, adapter.name)
    return impact_of(adapter, found.live, found.drift, grades, rows, routes)


def print_impact(value: dict[str, Any], summary: str) -> None:
    """The figure in one line, and the first rows that flipped."""
    print_line(f"  measured: {summary}")
    flips = value["flipped"]
    for flip in flips[:_SHOWN_FLIPS]:
        print_line(f"    {flip_line(flip)}")
    more = value["flips"] - len(flips[:_SHOWN_FLIPS])
    if more:
        print_line(f"    and {more} more; --json has {len(flips)} of {value['flips']}")


async def _asked(
    adapter: Adapter, base_model: Path, rows: Sequence[EvalRow], kept: KeptAnswers
) -> Sequence[Route]:
    engine = _engine(base_model)
    await engine.start()
    try:
        await engine.load(adapter.version, adapter.folder)
        return await replay(engine, adapter, rows, kept, partial(progress, "replayed rows"))
    finally:
        await engine.close()


def _engine(base_model: Path) -> Engine:
    if not (base_model / "config.json").is_file():
        raise ConfigurationError(f"{base_model}: no base model; name its folder with --base-model")
    try:
        from gateway.engines.local import LocalEngine
    except ImportError as exc:
        raise ConfigurationError(
            f"measuring needs the embedded engine: pip install 'pointsman[local]' ({exc})"
        ) from exc
    return LocalEngine(base_model)
