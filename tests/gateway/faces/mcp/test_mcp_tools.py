"""Tools through the MCP face: listed as they are, called once, refused with words that help."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS

from gateway.config import ToolsetConfig
from tests.gateway.faces.mcp.serving import ECHO, Able, behind, gateway, text
from tests.gateway.serving import settings
from tests.gateway.toolsets.upstream_doubles import PATIENCE_S, LiveServer, Script, tool


async def test_tools_are_listed_as_their_server_sent_them(mode: Any, tmp_path: Path) -> None:
    async with behind(Able(), tmp_path=tmp_path) as face, face.client(mode) as client:
        listed = (await client.list_tools()).tools
        assert [item.name for item in listed][:2] == ["echo", "steps"]
        assert listed[0] == ECHO


async def test_a_valid_call_is_made_once_and_recorded(mode: Any, tmp_path: Path) -> None:
    server = Able()
    async with behind(server, tmp_path=tmp_path) as face, face.client(mode) as client:
        result = await client.call_tool("echo", {"text": "ab", "times": 2})
        assert (text(result), result.is_error) == ("abab", False)
        assert server.called == ["echo"]
        [record] = await face.parts.records.calls()
        assert (record["face"], record["outcome"]) == ("mcp", "call")
        assert record["calls"] == [{"tool": "echo", "arguments": {"text": "ab", "times": 2}}]


async def test_invalid_arguments_are_an_error_result_with_a_line_per_pointer(
    mode: Any, tmp_path: Path
) -> None:
    server = Able()
    async with behind(server, tmp_path=tmp_path) as face, face.client(mode) as client:
        result = await client.call_tool("echo", {"text": 1, "times": 9})
        assert result.is_error
        lines = text(result).splitlines()
        assert len(lines) == 3
        assert {line.split(":")[0] for line in lines[1:]} == {"/text", "/times"}
        assert server.called == []


async def test_an_unknown_tool_is_a_protocol_error(mode: Any, tmp_path: Path) -> None:
    async with behind(Able(), tmp_path=tmp_path) as face, face.client(mode) as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool("nope", {})
        assert caught.value.code == INVALID_PARAMS


async def test_a_server_s_own_error_keeps_its_code_and_data(mode: Any, tmp_path: Path) -> None:
    async with behind(Able(), tmp_path=tmp_path) as face, face.client(mode) as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool("refuse", {})
        error = caught.value.error
        assert (error.code, error.message, error.data) == (
            -32050, "not on Sundays", {"day": "Sunday"},
        )  # fmt: skip


async def test_a_malformed_result_is_a_clear_error(mode: Any, tmp_path: Path) -> None:
    script = Script(tmp_path / "script", "mumble")
    config = settings(tmp_path, script.config(), adapter=False)
    async with gateway(config) as face, face.client(mode) as client:
        with pytest.raises(MCPError, match="answered mumble with no result"):
            await client.call_tool("mumble", {})
    assert script.seen().count("tools/call") == 1


async def test_a_toolset_s_address_offers_its_tools_alone(mode: Any, tmp_path: Path) -> None:
    toolset = ToolsetConfig(name="few", servers=("able",), tools=("log", "echo"))
    async with behind(Able(), tmp_path=tmp_path, toolsets=(toolset,)) as face:
        async with face.client(mode, "/mcp/few") as client:
            assert [t.name for t in (await client.list_tools()).tools] == ["log", "echo"]
            with pytest.raises(MCPError, match="Unknown tool: steps"):
                await client.call_tool("steps", {})
        async with face.client(mode, "/mcp/able") as client:
            assert len((await client.list_tools()).tools) == 7


async def test_agents_are_told_when_tools_change(mode: Any, tmp_path: Path) -> None:
    server = LiveServer("old")
    told = asyncio.Event()

    async def on_message(message: Any) -> None:
        if getattr(message, "method", "") == "notifications/tools/list_changed":
            told.set()

    async with (
        behind(server, tmp_path=tmp_path) as face,
        face.client(mode, message_handler=on_message) as client,
        asyncio.timeout(PATIENCE_S),
    ):
        if mode == "legacy":
            assert client.server_capabilities.tools.list_changed
            await _until_changed(server, told)
        else:
            async with client.listen(tools_list_changed=True) as subscription:
                await server.change("new")
                await anext(aiter(subscription))
        await face.parts.watch.refresh("live")
        assert [t.name for t in (await client.list_tools()).tools][-1].startswith("new")


async def _until_changed(server: LiveServer, told: asyncio.Event) -> None:
    """The client opens its stream for news at its own pace; what came before is lost to it."""
    number = 0
    while not told.is_set():
        number += 1
        await server.change(f"new{number}")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(told.wait(), 0.5)


async def test_several_servers_stand_behind_one_address(mode: Any, tmp_path: Path) -> None:
    one, two = Able("one"), Able("two")
    async with behind(one, two, tmp_path=tmp_path) as face, face.client(mode) as client:
        assert text(await client.call_tool("two_echo", {"text": "x"})) == "x"
        assert (one.called, two.called) == ([], ["echo"])
        assert client.instructions == "one is here\n\ntwo is here"


async def test_a_tool_s_fields_survive_the_trip(mode: Any, tmp_path: Path) -> None:
    rich = tool(
        "rich", title="Rich", outputSchema={"type": "object"}, annotations={"readOnlyHint": True}
    )
    script = Script(tmp_path / "script")
    script.tell_pages([rich])
    config = settings(tmp_path, script.config(), adapter=False)
    async with gateway(config) as face, face.client(mode) as client:
        [listed] = (await client.list_tools()).tools
        assert listed.model_dump(by_alias=True, mode="json", exclude_none=True) == rich


async def test_a_made_up_toolset_is_not_found(tmp_path: Path) -> None:
    async with behind(Able(), tmp_path=tmp_path) as face, httpx.AsyncClient() as client:
        response = await client.post(face.url("/mcp/nope"), json={})
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
        response = await client.post(face.url("/mcp?tools=some"), json={})
        assert (response.status_code, response.json()["code"]) == (422, "malformed_request")
