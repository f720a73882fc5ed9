"""The MCP face for clients that start a process."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from gateway.app import build_parts, running
from gateway.engines.scripted import ScriptedEngine
from gateway.errors import NotFound
from gateway.faces.mcp import Address, serve_stdio
from gateway.faces.mcp.server import McpServer
from tests.gateway.cli_gateway import ROOT
from tests.gateway.faces.mcp.serving import text
from tests.gateway.serving import ASK, TRACK, desk, settings
from tests.gateway.toolsets.upstream_doubles import PATIENCE_S, Script

START_S = 120
"""A process that imports the gateway may take its time on a busy machine."""


async def test_one_address_is_served_without_http(mode: Any, tmp_path: Path) -> None:
    config = settings(tmp_path, desk(tmp_path / "desk").config())
    parts = build_parts(config, ScriptedEngine({ASK: TRACK}))
    async with running(parts):
        await parts.watch.upstream("script").first_listing(PATIENCE_S)
        server = McpServer(parts, Address("support", "route"))
        async with Client(server, mode=mode, cache=None) as client:
            assert [t.name for t in (await client.list_tools()).tools] == ["route"]
            result = await client.call_tool("route", {"request": ASK})
            assert text(result) == 'track_order{"order_id": "ORD-1234"}'


async def test_a_toolset_that_is_not_there_is_refused(tmp_path: Path) -> None:
    parts = build_parts(settings(tmp_path, adapter=False), ScriptedEngine())
    with pytest.raises(NotFound, match="'nope'"):
        await serve_stdio(parts, Address("nope"))


async def test_a_client_that_starts_the_gateway_uses_its_tools(tmp_path: Path) -> None:
    script = Script(tmp_path / "script", "echo", "other")
    file = tmp_path / "pointsman.toml"
    file.write_text(
        f'[[servers]]\nname = "script"\ncommand = "{sys.executable}"\n'
        f'args = ["{script.folder}/server.py", "{script.folder}"]\n'
        f'[[toolsets]]\nname = "one"\nservers = ["script"]\ntools = ["echo"]\n'
    )
    arguments = ["-m", "gateway.cli", "serve", "--stdio", "--config", str(file)]
    command = StdioServerParameters(
        command=sys.executable, args=[*arguments, "--toolset", "one"], cwd=str(ROOT)
    )
    async with asyncio.timeout(START_S), Client(command, mode="legacy", cache=None) as client:
        assert [t.name for t in (await client.list_tools()).tools] == ["echo"]
        assert text(await client.call_tool("echo", {"a": 1})) == 'echo{"a": 1}'
