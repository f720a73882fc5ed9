"""Counts of one version, and the figures made of them."""

import pytest

from gateway.adapters.tally import Tally, agrees
from gateway.decide import Decision
from gateway.types import Call

CALL = Decision("call", (Call("track_order", {"order_id": "ORD-1"}),))
REFUND = Decision("call", (Call("request_refund", {"reason": "it is broken"}),))
NO_TOOL = Decision("no_tool", reason="chat")
INVALID = Decision("invalid", reason_code="parse")
ABSTAINED = Decision("abstained", proposal=CALL.calls, reason_code="low_confidence")


def test_outcomes_are_counted_with_their_reasons() -> None:
    tally = Tally()
    for decision in (CALL, CALL, NO_TOOL, INVALID, ABSTAINED):
        tally.answered(decision, 0.1, 0.5)
    tally.failed()
    counts = tally.counts()
    assert counts.outcomes == {
        "call": 2, "no_tool": 1, "invalid/parse": 1, "abstained/low_confidence": 1,
    }  # fmt: skip
    assert (counts.requests, counts.errors, counts.broken, counts.left) == (6, 1, 2, 3)


def test_latency_and_confidence_are_summed_up() -> None:
    tally = Tally()
    for number in range(1, 101):
        tally.answered(CALL, number / 1000, 0.5 if number % 2 else None)
    counts = tally.counts()
    assert (counts.latency(0.5), counts.latency(0.95)) == (0.05, 0.095)
    assert counts.as_dict()["latency_ms"] == {"mean": 50.5, "p50": 50.0, "p95": 95.0}
    assert counts.confidence == 0.5


def test_a_version_that_nobody_asked_has_no_figures() -> None:
    assert Tally().counts().as_dict() == {
        "requests": 0, "outcomes": {}, "errors": 0, "compared": 0, "disagreements": 0,
        "dropped": 0, "latency_ms": {"mean": None, "p50": None, "p95": None}, "confidence": None,
    }  # fmt: skip
    assert Tally().counts().agreement is None


def test_the_latest_latencies_count() -> None:
    tally = Tally()
    for seconds in (*[9.0] * 2000, *[0.1] * 2000):
        tally.answered(CALL, seconds, None)
    assert tally.counts().latency(0.95) == 0.1


@pytest.mark.parametrize(
    ("served", "shadowed", "same"),
    [
        (CALL, CALL, True),
        (CALL, REFUND, False),
        (CALL, NO_TOOL, False),
        (NO_TOOL, CALL, False),
        (NO_TOOL, ABSTAINED, True),
        (INVALID, NO_TOOL, True),
        (CALL, ABSTAINED, False),
        (REFUND, Decision("call", (Call("request_refund", {"reason": "broken it is"}),)), True),
    ],
)
def test_versions_agree_if_they_would_have_made_the_same_calls(
    served: Decision, shadowed: Decision, same: bool
) -> None:
    assert agrees(served, shadowed) is same


def test_disagreements_are_counted_over_what_was_compared() -> None:
    tally = Tally()
    for same in (True, True, True, False):
        tally.compared(same)
    tally.dropped()
    counts = tally.counts()
    assert (counts.agreement, counts.dropped) == (0.75, 1)
    assert counts.as_dict()["disagreements"] == 1
