"""Clients of MCP do whole jobs: list, call, call wrongly, and ask `route` in plain words."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.adapters import support_toolset
from tests.end_to_end.clients.client_programs import (
    INSPECTOR,
    LANGCHAIN,
    MCP,
    OLDER_MCP,
    OPENAI_AGENTS,
    PYDANTIC_AI,
    TYPESCRIPT,
    Client,
    Desk,
)

pytestmark = pytest.mark.slow

TOOLS = [*support_toolset().by_name, "route"]
POINTED = r'/order_id: "12" does not match "^ORD-[0-9]{4,6}$"'
TRACK = {"tool": "track_order", "arguments": {"order_id": "ORD-1234"}}
OTHERS = [
    ("the SDK before 2", OLDER_MCP, "mcp_older_client.py", "", "2025-11-25"),
    ("the SDK, shaking hands", MCP, "mcp_client.py", "legacy", "2025-11-25"),
    ("the SDK, finding the era", MCP, "mcp_client.py", "auto", "2026-07-28"),
    ("the SDK, told the era", MCP, "mcp_client.py", "2026-07-28", "2026-07-28"),
    ("TypeScript", TYPESCRIPT, "typescript_client.ts", "", "2025-11-25"),
]


def text_of(result: Mapping[str, Any]) -> str:
    """The text of a result."""
    return "\n".join(block["text"] for block in result["content"] if block["type"] == "text")


def require_tracked(result: Mapping[str, Any]) -> None:
    """A result that says, in words and as data, where the order is."""
    assert not result["isError"], result
    assert "ORD-1234 of 2026-10-28 is shipped" in text_of(result)
    data = result["structuredContent"]
    assert (data["order_id"], data["status"], data["pieces"]) == ("ORD-1234", "shipped", 3)
    assert data["shipments"][0]["carrier"] == "Nordpost"


def require_refused(result: Mapping[str, Any]) -> None:
    """A result that says what breaks the schema, one line an error."""
    assert result["isError"]
    assert text_of(result).splitlines()[1:] == [POINTED]
    assert "structuredContent" not in result or result["structuredContent"] is None


def require_routed(result: Mapping[str, Any]) -> None:
    """The result of the call that `route` chose, and which one it was."""
    require_tracked(result)
    told = result["_meta"]["pointsman/route"]
    assert (told["outcome"], told["calls"]) == ("call", [TRACK])


@pytest.mark.parametrize(
    ("client", "script", "mode", "version"), [row[1:] for row in OTHERS], ids=[r[0] for r in OTHERS]
)
def test_an_mcp_client_does_a_whole_job_in_its_era(
    desk: Desk, client: Client, script: str, mode: str, version: str
) -> None:
    seen = desk.seen_by(client, script, *filter(None, [mode]))
    assert (seen["version"], seen["tools"], seen["lean"]) == (version, TOOLS, ["route"])
    require_tracked(seen["called"])
    require_refused(seen["broken"])
    assert seen["unknown"]["code"] == -32602
    require_routed(seen["routed"])
    chat = seen["chat"]
    assert (chat["isError"], chat["_meta"]["pointsman/route"]["outcome"]) == (True, "no_tool")
    assert text_of(chat).startswith("Nothing was called: ")


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_the_inspectors_command_line_does_a_whole_job(desk: Desk, era: str) -> None:
    seen = desk.seen_by(INSPECTOR, "inspector.sh", era)
    listed, lean = (seen[key]["result"]["tools"] for key in ("tools", "lean"))
    assert [tool["name"] for tool in listed] == TOOLS
    assert [tool["name"] for tool in lean] == ["route"]
    require_tracked(seen["called"]["result"])
    require_refused(seen["broken"]["result"])
    assert seen["code"] == 5
    require_routed(seen["routed"]["result"])


def test_an_openai_agent_has_its_tools_from_the_gateway(desk: Desk) -> None:
    seen = desk.seen_by(OPENAI_AGENTS, "openai_agents_mcp.py")
    assert (seen["tools"], seen["lean"]) == (TOOLS, ["route"])
    require_tracked(seen["called"])
    require_refused(seen["broken"])
    require_routed(seen["routed"])
    agent = seen["agent"]
    assert agent["steps"] == ["tool_call_item", "tool_call_output_item", "message_output_item"]
    assert "17 in lyon" in agent["answer"]
    assert agent["chat"]["steps"] == ["message_output_item"]


def test_a_pydantic_ai_agent_has_its_tools_from_the_gateway(desk: Desk) -> None:
    seen = desk.seen_by(PYDANTIC_AI, "pydantic_ai_mcp.py")
    assert (seen["tools"], seen["lean"]) == (TOOLS, ["route"])
    # It gives the structured content alone.
    assert seen["called"] == seen["routed"]
    assert (seen["called"]["order_id"], seen["called"]["status"]) == ("ORD-1234", "shipped")
    assert seen["broken"].splitlines()[1:] == [POINTED]
    (call,) = seen["agent"]["calls"]
    stock = {"sku": "SKU-MUG12", "warehouse": "lyon"}
    assert call == {"tool": "check_stock", "arguments": stock}
    assert json.loads(seen["agent"]["answer"])["total"] == 17
    assert seen["agent"]["chat"] == ["user-prompt", "text"]


def test_a_langgraph_agent_has_its_tools_from_the_gateway(desk: Desk) -> None:
    seen = desk.seen_by(LANGCHAIN, "langchain_mcp.py")
    assert (seen["tools"], seen["lean"]) == (TOOLS, ["route"])
    for key in ("called", "routed"):
        assert seen[key]["status"] == "success"
        data = seen[key]["artifact"]["structured_content"]
        assert (data["order_id"], data["status"]) == ("ORD-1234", "shipped")
    assert seen["broken"]["status"] == "error"
    assert seen["broken"]["text"].splitlines()[1:] == [POINTED]
    agent = seen["agent"]
    assert agent["types"] == ["human", "ai", "tool", "ai"]
    assert [call["name"] for call in agent["calls"]] == ["check_stock"]
    assert "17 in lyon" in agent["answer"]
    assert agent["chat"] == ["human", "ai"]
