"""A whole gateway for the tests of its parts: real servers behind it, a scripted engine in it."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from mcp.types import Tool

from gateway.app import build_app, running
from gateway.config import AdapterConfig, Config, ServerConfig, ToolsetConfig
from gateway.engines.base import Engine
from gateway.engines.scripted import ScriptedEngine
from gateway.faces.parts import Parts
from mcp_servers.support.toolset import Revision
from mcp_servers.support.toolset import toolset as support_revision
from tests.adapters import support_toolset, write_adapter
from tests.gateway.toolsets.upstream_doubles import PATIENCE_S, Script

ASK = "where is ORD-1234?"
TRACK = {"tool": "track_order", "arguments": {"order_id": "ORD-1234"}}


@dataclass(frozen=True)
class Served:
    """A running gateway and a client of it."""

    client: httpx.AsyncClient
    parts: Parts

    async def route(self, request: str = ASK, **body: Any) -> httpx.Response:
        return await self.client.post("/v1/route", json={"request": request, **body})

    async def call(self, tool: str, arguments: Any) -> httpx.Response:
        return await self.client.post("/v1/tools/call", json={"tool": tool, "arguments": arguments})

    async def post(self, path: str, body: Any) -> httpx.Response:
        """A body as JSON of Python's own kind (NaN, half a surrogate pair), or as raw bytes."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        return await self.client.post(path, content=content, headers=headers)


def on_wire(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """Tools as a server sends them."""
    return [tool.model_dump(by_alias=True, mode="json", exclude_none=True) for tool in tools]


def desk(folder: Path, revision: Revision = 1) -> Script:
    """A process that lists the order desk's tools and echoes the calls."""
    script = Script(folder)
    tell_desk(script, revision)
    return script


def tell_desk(script: Script, revision: Revision) -> None:
    tools = support_toolset().tools if revision == 1 else support_revision(2).tools
    script.tell_pages([{k: v for k, v in t.items() if k != "outputSchema"} for t in on_wire(tools)])


def dispatched(script: Script) -> int:
    """How many calls have reached a script."""
    return script.seen().count("tools/call")


async def hanging(script: Script) -> None:
    """Wait until a call hangs at the script."""
    async with asyncio.timeout(PATIENCE_S):
        while dispatched(script) == 0:
            await asyncio.sleep(0.01)


def settings(tmp_path: Path, *servers: ServerConfig, adapter: bool = True, **more: Any) -> Config:
    """A configuration with one toolset, `support`, over all servers, and an adapter for it."""
    names = tuple(server.name for server in servers)
    value: dict[str, Any] = {
        "servers": servers,
        "toolsets": (ToolsetConfig(name="support", servers=names),),
        "adapter_store": tmp_path / "store",
    }
    if adapter:
        value["adapters"] = (AdapterConfig(folder=write_adapter(tmp_path / "adapter")),)
    return Config(**{**value, **more})


@asynccontextmanager
async def served(
    config: Config, engine: Engine | None = None, *, listed: bool = True, **client: Any
) -> AsyncIterator[Served]:
    """A running gateway whose servers have listed; `client` goes to the HTTP client."""
    app = build_app(config, engine=engine or ScriptedEngine({ASK: TRACK}))
    parts: Parts = app.state.parts
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        running(parts),
        httpx.AsyncClient(
            **{"base_url": "http://localhost", **client, "transport": transport}
        ) as c,
    ):
        for upstream in parts.watch.upstreams if listed else ():
            await upstream.first_listing(PATIENCE_S)
        yield Served(c, parts)


def problem_of(response: httpx.Response) -> dict[str, Any]:
    """The problem document of a response, checked for its shape."""
    assert response.headers["content-type"] == "application/problem+json"
    value: dict[str, Any] = json.loads(response.content)
    assert value["status"] == response.status_code
    assert value["type"] == f"/problems/{value['code']}"
    assert value["title"]
    assert "Traceback" not in response.text
    return value
