"""Wrong calls, missed calls, and the arguments that fail."""

import json
from typing import Any

import pytest

from gateway.types import Call, Message, Route
from tests.training.evaluation.samples import JUDGE, NO_TOOL, answer, cancel, row, track
from training.evaluation.failures import arguments, faults, missed, wrong_calls
from training.rows import Row


def listed(**given: Any) -> dict[str, Any]:
    return {"tool": "list_orders", "arguments": {"customer_email": "a@b.example", **given}}


@pytest.mark.parametrize(
    ("wanted", "called", "found"),
    [
        ({"a": 1}, {"a": 1.0}, {}),
        ({"a": 1}, {"a": True}, {"a": "wrong"}),
        ({"a": 1, "b": 2}, {"a": 1}, {"b": "missing"}),
        ({"a": 1}, {"a": 1, "b": None}, {"b": "invented"}),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [2, 1]}}, {"a": "wrong"}),
        ({"reason": "it came too late"}, {"reason": "came too late"}, {}),
        ({"note": "it came too late"}, {"note": "came too late"}, {"note": "wrong"}),
        ({}, {}, {}),
    ],
)
def test_an_argument_is_missing_invented_or_wrong(wanted: Any, called: Any, found: Any) -> None:
    assert faults(Call("x", wanted), Call("x", called)) == found


def test_free_text_that_a_row_accepts_is_no_fault() -> None:
    wanted, called = Call("x", {"note": "came too late"}), Call("x", {"note": "it came too late"})
    assert faults(wanted, called, ["note"]) == {}


def test_faults_are_counted_over_the_proposals_with_the_right_tool() -> None:
    text = "a@b.example"
    found = [
        answer(listed(status="shipped"), listed(status="shipped"), text=text),
        answer(listed(status="shipped"), listed(), text=text),
        answer(listed(), listed(limit=3), text=text),
        answer(listed(status="shipped"), listed(status="cancelled"), text=text),
        answer(listed(status="shipped"), track(), text=text),
        answer(listed(status="shipped"), text=text),
    ]
    nothing = {"missing": 0, "invented": 0, "wrong": 0, "withheld": 0}
    assert arguments(found) == {
        "list_orders.customer_email": {"n": 4, **nothing},
        "list_orders.limit": {"n": 1, **nothing, "invented": 1},
        "list_orders.status": {"n": 3, **nothing, "missing": 1, "wrong": 1},
    }


def test_a_fault_that_a_check_withheld_is_counted_as_such() -> None:
    found = [answer(track(), track("ORD-9999")), answer(track(), track("ORD-5678"))]
    assert arguments(found)["track_order.order_id"] == {
        "n": 2, "missing": 0, "invented": 0, "wrong": 2, "withheld": 1,
    }  # fmt: skip


def test_several_calls_of_one_tool_are_compared_with_their_likest() -> None:
    wanted = {"calls": [cancel("ORD-1234", "too late"), cancel("ORD-5678", "bought twice")]}
    swapped = answer(wanted, cancel("ORD-5678", "bought twice"), cancel("ORD-1234", "wrong size"))
    assert arguments([swapped])["cancel_order.order_id"]["wrong"] == 0
    assert arguments([swapped])["cancel_order.reason"]["wrong"] == 1
    (shown,) = wrong_calls([swapped], 0.0)
    assert shown["faults"] == [{"argument": "cancel_order.reason", "fault": "wrong"}]


def test_a_silent_failure_says_what_was_wanted_and_whether_the_threshold_withholds_it() -> None:
    found = [
        answer(track(), track(), confidence=0.9),
        answer(track(), track("ORD-5678"), confidence=0.4, voice="chatty"),
        answer(NO_TOOL, track(), confidence=0.8, kind="chat"),
        answer(track(), track("ORD-9999"), confidence=0.9),
    ]
    unsure, false = wrong_calls(found, 0.5)
    assert unsure == {
        "request": "ORD-1234, ORD-5678",
        "kind": "call",
        "voice": "chatty",
        "wanted": track(),
        "called": [track("ORD-5678")],
        "faults": [{"argument": "track_order.order_id", "fault": "wrong"}],
        "confidence": 0.4,
        "withheld_at_threshold": True,
    }
    assert (false["kind"], false["faults"]) == ("chat", [])
    assert not false["withheld_at_threshold"]


def test_a_missed_call_says_why() -> None:
    broken = {"tool": "track_order", "arguments": {"order_id": "12"}}
    unread = JUDGE.answer(row("x", track()), Route(error="not JSON"), 0.0)
    found = [
        answer(track(), track(), confidence=0.0),
        answer(track(), cancel(), confidence=0.0),
        answer(NO_TOOL),
        answer(track()),
        answer(track(), track("ORD-9999")),
        answer(track(), broken),
        unread,
    ]
    told = missed(found)
    assert [(item["outcome"], item["reason_code"]) for item in told] == [
        ("no_tool", None),
        ("abstained", "not_grounded"),
        ("invalid", "schema"),
        ("invalid", "parse"),
    ]
    assert told[1]["proposal"] == [track("ORD-9999")]
    assert "ORD-9999" in told[1]["reason"]
    assert told[3]["reason"] == "not JSON"


def test_what_is_not_unicode_is_told_in_a_form_that_can_be_written() -> None:
    half = Row((Message("user", "x"),), track(), "call", "plain")
    found = JUDGE.answer(half, Route((Call("track_order", {"order_id": "\ud800"}),)), 0.0)
    (told,) = missed([found])
    json.dumps(told, ensure_ascii=False).encode()
    assert told["proposal"] == [track("?")]
