"""What the order desk lists: the shared definition, and how revision 2 differs from it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.types import Tool, ToolListChangedNotification

from mcp_servers.support.desk import Desk
from mcp_servers.support.server import SupportServer
from mcp_servers.support.toolset import Revision, instructions

SHARED = Path(__file__).parents[3] / "shared" / "toolsets" / "support.json"
EXPECTED = Path(__file__).parent / "support_toolset_expected.json"

Definition = dict[str, Any]


def as_shared(tool: Tool) -> Definition:
    dumped = tool.model_dump(by_alias=True, mode="json", exclude_none=True)
    return {key: dumped[key] for key in ("name", "description", "inputSchema", "annotations")}


async def listed(desk: Desk, revision: Revision, mode: str) -> dict[str, Definition]:
    async with Client(SupportServer(desk, revision), mode=mode) as client:
        tools = (await client.list_tools()).tools
    return {tool.name: as_shared(tool) for tool in tools}


@pytest.fixture
async def first(desk: Desk, mode: str) -> dict[str, Definition]:
    return await listed(desk, 1, mode)


@pytest.fixture
async def second(desk: Desk, mode: str) -> dict[str, Definition]:
    return await listed(desk, 2, mode)


def test_the_expectation_is_the_definition_shared_with_others():
    if not SHARED.exists():
        pytest.skip("the shared folder is not beside this repository")
    shared, expected = json.loads(SHARED.read_text()), json.loads(EXPECTED.read_text())
    assert json.dumps(expected) == json.dumps(shared)


async def test_the_list_equals_the_definition_to_the_order_of_the_keys(
    first: dict[str, Definition],
):
    expected = json.loads(EXPECTED.read_text())
    assert list(first) == [tool["name"] for tool in expected["tools"]]
    for tool in expected["tools"]:
        assert first[tool["name"]] == tool
        sent = first[tool["name"]]["inputSchema"]
        assert json.dumps(sent) == json.dumps(tool["inputSchema"])


async def test_the_server_says_who_it_is_and_that_its_tools_can_change(desk: Desk, mode: str):
    auto = "auto" if mode != "legacy" else mode
    async with Client(SupportServer(desk), mode=auto) as client:
        assert client.server_info is not None
        assert client.server_info.name == "support"
        assert client.instructions == instructions()
        assert instructions() == json.loads(EXPECTED.read_text())["instructions"]
        assert client.server_capabilities.tools is not None
        assert client.server_capabilities.tools.list_changed is True


@pytest.mark.parametrize("revision", [1, 2])
async def test_every_tool_has_an_output_schema(desk: Desk, revision: Revision):
    async with Client(SupportServer(desk, revision)) as client:
        tools = (await client.list_tools()).tools
    assert all(tool.output_schema and tool.output_schema["required"] for tool in tools)


async def test_revision_2_has_other_names_in_four_places_only(
    first: dict[str, Definition], second: dict[str, Definition]
):
    assert first.keys() - second.keys() == {"check_stock", "exchange_item"}
    assert second.keys() - first.keys() == {"stock_level", "gift_wrap"}
    assert {**first["check_stock"], "name": "stock_level"} == second["stock_level"]


async def test_revision_2_changes_four_tools_and_leaves_the_others(
    first: dict[str, Definition], second: dict[str, Definition]
):
    common = first.keys() & second.keys()
    changed = {name for name in common if first[name] != second[name]}
    assert changed == {"schedule_pickup", "request_refund", "escalate"}
    reordered = {
        name for name in common - changed if json.dumps(first[name]) != json.dumps(second[name])
    }
    assert reordered == {"track_order"}


async def test_revision_2_changes_exactly_what_was_announced(
    first: dict[str, Definition], second: dict[str, Definition]
):
    window = first["schedule_pickup"]["inputSchema"]["properties"]["window"]
    window["enum"] = ["morning", "afternoon"]
    assert first["schedule_pickup"] == second["schedule_pickup"]

    refund = second["request_refund"]["inputSchema"]
    assert refund["properties"].pop("currency")["pattern"] == "^[A-Z]{3}$"
    assert refund["required"] == ["order_id", "reason", "currency"]
    refund["required"].remove("currency")
    assert first["request_refund"] == second["request_refund"]

    assert first["escalate"].pop("description") != second["escalate"].pop("description")
    assert first["escalate"] == second["escalate"]


async def test_sessions_are_told_of_a_change_while_open_and_forgotten_afterwards(
    desk: Desk, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("INFO")
    server, told = SupportServer(desk), asyncio.Event()

    async def listen(message: object) -> None:
        if isinstance(message, ToolListChangedNotification):
            told.set()

    async with Client(server, mode="legacy", message_handler=listen) as client:
        await client.list_tools()
        await server.change_revision(2)
        await asyncio.wait_for(told.wait(), 10)
    assert "now at revision 2; 1 handshake sessions open" in caplog.text
    await server.change_revision(1)
    assert "now at revision 1; 0 handshake sessions open" in caplog.text


async def test_an_unknown_tool_is_an_error_of_the_protocol(desk: Desk, mode: str):
    async with Client(SupportServer(desk), mode=mode) as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool("gift_wrap", {"order_id": "ORD-1235"})
    assert caught.value.error.code == -32602
