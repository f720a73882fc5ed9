"""Labels: what a record proposed, and which labels of it are taken."""

from typing import Any

import pytest

from gateway.errors import BadRequest, Conflict, InvalidArguments
from gateway.labels import answered, checked
from gateway.validate import ToolValidator
from tests.adapters import support_toolset

TRACK: dict[str, Any] = {"tool": "track_order", "arguments": {"order_id": "ORD-1234"}}
HELP: dict[str, Any] = {"tool": "search_help", "arguments": {"query": "returns"}}
VALIDATORS = {tool.name: ToolValidator(tool) for tool in support_toolset().tools}


def call(outcome: str = "call", **more: Any) -> dict[str, Any]:
    return {"id": "route_1", "outcome": outcome, "messages": [["user", "where is it?"]], **more}


@pytest.mark.parametrize(
    ("record", "answer"),
    [
        (call(calls=[TRACK]), TRACK),
        (call(calls=[TRACK, HELP]), {"calls": [TRACK, HELP]}),
        (call("abstained", calls=[], proposal=[TRACK]), TRACK),
        (call("no_tool", calls=[], reason="chat"), {"tool": "no_tool", "reason": "chat"}),
        (call("abstained", calls=[], proposal=None, reason="too long"), None),
        (call("invalid", calls=[], proposal=[TRACK]), None),
    ],
)
def test_a_record_s_answer_is_what_it_called_withheld_or_declined(record: Any, answer: Any) -> None:
    assert answered(record) == answer


@pytest.mark.parametrize(
    ("label", "kept"),
    [
        ("wrong", "wrong"),
        ("right", "right"),
        (TRACK, TRACK),
        ({"calls": [TRACK, HELP]}, {"calls": [TRACK, HELP]}),
        ({"calls": [TRACK]}, TRACK),
        ({"tool": "no_tool"}, {"tool": "no_tool", "reason": "no tool fits"}),
    ],
)
def test_a_label_is_kept_in_the_form_the_router_writes(label: Any, kept: Any) -> None:
    assert checked(label, call(calls=[TRACK]), VALIDATORS) == kept


def deep() -> Any:
    nested: Any = {}
    for _ in range(100_000):
        nested = {"a": nested}
    return nested


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ({}, "none of a call"),
        ({"tool": "track_order"}, "none of a call"),
        ({**TRACK, "why": "x"}, "none of a call"),
        ({"calls": []}, "1 to 8 calls"),
        ({"tool": "fly", "arguments": {}}, "'fly', which is no live tool"),
        ({"tool": "track_order", "arguments": {"order_id": float("nan")}}, "no JSON number"),
        (deep(), "nested too deeply"),
    ],
)
def test_a_target_that_is_no_answer_is_refused(label: Any, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        checked(label, call(calls=[TRACK]), VALIDATORS)


def test_a_target_that_breaks_the_schema_is_refused_with_its_pointers() -> None:
    with pytest.raises(InvalidArguments) as refusal:
        checked(
            {"tool": "track_order", "arguments": {"order_id": "12"}},
            call(calls=[TRACK]),
            VALIDATORS,
        )
    assert refusal.value.errors[0]["pointer"] == "/order_id"


def test_right_needs_something_that_was_proposed() -> None:
    with pytest.raises(BadRequest, match="route_1 proposed nothing"):
        checked("right", call("invalid", calls=[]), VALIDATORS)


@pytest.mark.parametrize("label", ["right", "wrong", TRACK])
def test_a_call_recorded_without_its_conversation_takes_no_label(label: Any) -> None:
    record = {"id": "route_1", "outcome": "call", "calls": [{"tool": "track_order"}]}
    with pytest.raises(Conflict, match="route_1 was recorded without its conversation"):
        checked(label, record, VALIDATORS)
