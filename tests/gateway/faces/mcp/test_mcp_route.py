"""The tool `route`: a request in plain words becomes a checked call, or nothing is called."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from gateway.config import ToolsetConfig
from gateway.engines.scripted import ScriptedEngine
from tests.adapters import write_adapter
from tests.gateway.faces.mcp.serving import gateway, text
from tests.gateway.serving import ASK, TRACK, desk, dispatched, settings
from tests.gateway.toolsets.upstream_doubles import PATIENCE_S

VAGUE = {"tool": "no_tool", "reason": "need order_id"}


async def test_route_is_offered_beside_the_tools_where_an_adapter_serves(
    mode: Any, tmp_path: Path
) -> None:
    config = settings(tmp_path, desk(tmp_path / "desk").config())
    async with gateway(config) as face:
        for path in ("/mcp", "/mcp/support"):
            async with face.client(mode, path) as client:
                listed = (await client.list_tools()).tools
                assert listed[-1].name == "route"
                assert listed[-1].annotations.destructive_hint
                assert len(listed) == 11
        async with face.client(mode, "/mcp/script") as client:
            assert "route" not in [t.name for t in (await client.list_tools()).tools]


async def test_route_can_stand_alone_or_be_left_out(mode: Any, tmp_path: Path) -> None:
    config = settings(tmp_path, desk(tmp_path / "desk").config())
    async with gateway(config) as face:
        async with face.client(mode, "/mcp/support?tools=route") as client:
            assert [t.name for t in (await client.list_tools()).tools] == ["route"]
            with pytest.raises(MCPError, match="Unknown tool"):
                await client.call_tool("track_order", {"order_id": "ORD-1234"})
        async with face.client(mode, "/mcp/support?tools=direct") as client:
            assert len((await client.list_tools()).tools) == 10


async def test_a_routed_request_gives_the_call_s_own_result(mode: Any, tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    config = settings(tmp_path, script.config())
    async with gateway(config) as face, face.client(mode, "/mcp/support?tools=route") as client:
        result = await client.call_tool("route", {"request": ASK})
        assert text(result) == 'track_order{"order_id": "ORD-1234"}'
        told = result.meta["pointsman/route"]
        assert (told["outcome"], told["calls"]) == ("call", [TRACK])
        assert dispatched(script) == 1
        [record] = await face.parts.records.calls()
        assert (record["face"], record["dispatched"]) == ("mcp", True)


async def test_a_request_that_no_tool_fits_calls_nothing_and_says_why(
    mode: Any, tmp_path: Path
) -> None:
    script = desk(tmp_path / "desk")
    config = settings(tmp_path, script.config())
    engine = ScriptedEngine({"where is it?": VAGUE})
    async with gateway(config, engine) as face, face.client(mode) as client:
        result = await client.call_tool("route", {"request": "where is it?"})
        assert result.is_error
        assert text(result) == "Nothing was called: need order_id"
        assert result.meta["pointsman/route"]["outcome"] == "no_tool"
        assert dispatched(script) == 0


async def test_route_without_a_request_is_refused_with_its_pointer(
    mode: Any, tmp_path: Path
) -> None:
    config = settings(tmp_path, desk(tmp_path / "desk").config())
    async with gateway(config) as face, face.client(mode) as client:
        result = await client.call_tool("route", {"request": ""})
        assert result.is_error
        assert "/request" in text(result)


async def offers_route(client: Client) -> bool:
    return "route" in [tool.name for tool in (await client.list_tools()).tools]


async def test_agents_are_told_when_route_appears_and_when_it_goes(
    mode: Any, tmp_path: Path
) -> None:
    told = asyncio.Event()

    async def on_message(message: Any) -> None:
        if getattr(message, "method", "") == "notifications/tools/list_changed":
            told.set()

    script = desk(tmp_path / "desk")
    other = ToolsetConfig(name="other", servers=("script",))
    config = settings(tmp_path, script.config(), adapter=False)
    config = config.model_copy(update={"toolsets": (*config.toolsets, other)})
    async with (
        gateway(config) as face,
        face.client(mode, "/mcp/support", message_handler=on_message) as client,
        asyncio.timeout(PATIENCE_S),
    ):
        adapter = await face.parts.store.add(write_adapter(tmp_path / "made"))

        async def serve(toolset: str) -> None:
            await face.parts.swap.activate(adapter, toolset, probe=False)

        assert not await offers_route(client)
        if mode == "auto":
            async with client.listen(tools_list_changed=True) as subscription:
                events = aiter(subscription)
                for toolset in ("support", "other"):
                    await serve(toolset)
                    await anext(events)
                    assert await offers_route(client) == (toolset == "support")
            return
        # The client opens its stream for news at its own pace; what came before is lost to it.
        toolset = "other"
        while not told.is_set():
            toolset = "support" if toolset == "other" else "other"
            await serve(toolset)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(told.wait(), 0.5)
        for now in ("other", "support") if toolset == "support" else ("support", "other"):
            told.clear()
            await serve(now)
            await told.wait()
            assert await offers_route(client) == (now == "support")
