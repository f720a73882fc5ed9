"""Which calls wait for a person, and that no approval runs a call twice."""

from pathlib import Path
from typing import Any

import pytest
from mcp.types import Tool, ToolAnnotations

from gateway.approval import Approvals, needs_approval
from gateway.config import ApprovalConfig
from gateway.errors import NotFound
from gateway.types import Call
from tests.gateway.serving import ASK, desk, dispatched, problem_of, served, settings

CANCEL = {"tool": "cancel_order", "arguments": {"order_id": "ORD-1234"}}


def tool(**hints: Any) -> Tool:
    annotations = ToolAnnotations(**hints) if hints else None
    return Tool(name="delete", input_schema={"type": "object"}, annotations=annotations)


@pytest.mark.parametrize(
    ("hints", "waits"),
    [
        ({"destructive_hint": True}, True),
        ({"destructive_hint": True, "read_only_hint": False}, True),
        ({"destructive_hint": True, "read_only_hint": True}, False),
        ({"destructive_hint": False}, False),
        ({"idempotent_hint": True}, False),
        ({}, False),
    ],
)
def test_destructive_is_what_a_server_marks_so(hints: dict[str, bool], waits: bool) -> None:
    assert needs_approval(tool(**hints), ApprovalConfig(destructive=True)) is waits
    assert not needs_approval(tool(**hints), ApprovalConfig())


def test_a_tool_may_be_named_whatever_its_hints() -> None:
    assert needs_approval(tool(read_only_hint=True), ApprovalConfig(tools=frozenset({"delete"})))


def test_a_call_that_waits_is_taken_once() -> None:
    approvals = Approvals()
    waiting = approvals.ask("desk", "f" * 64, Call("delete", {}))
    assert approvals.get(waiting.id) == approvals.take(waiting.id) == waiting
    with pytest.raises(NotFound, match="answered once"):
        approvals.take(waiting.id)


def test_the_oldest_of_too_many_waiting_calls_is_forgotten() -> None:
    approvals = Approvals()
    first = approvals.ask("desk", "", Call("delete", {}))
    latest = [approvals.ask("desk", "", Call("delete", {})) for _ in range(1_000)][-1]
    with pytest.raises(NotFound):
        approvals.get(first.id)
    assert approvals.get(latest.id) == latest


async def test_what_needs_an_approval_is_not_run_by_a_face_that_cannot_ask(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    config = settings(tmp_path, script.config(), approval={"destructive": True})
    async with served(config) as gateway:
        problem = problem_of(await gateway.call(**CANCEL))
        assert (problem["status"], problem["code"]) == (403, "not_approved")
        assert "cancel_order runs only after a person approved" in problem["detail"]
        assert "elicitation" in problem["detail"]
        assert dispatched(script) == 0
        assert (await gateway.route(ASK, dispatch=True)).status_code == 200
        assert dispatched(script) == 1
