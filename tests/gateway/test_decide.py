"""Every reason to withhold a call, and the order in which the reasons count."""

from dataclasses import replace

import pytest

from gateway.decide import CallCheck, Decision, checks_as_dict, decide
from gateway.drift import GRADES, MASKED, DriftGrade
from gateway.grounding.ground import Ungrounded
from gateway.types import Call, Outcome, ReasonCode, Route
from gateway.validate import ArgumentError

CALL = Call("track_order", {"order_id": "ORD-1234"})
GOOD = CallCheck(CALL, schema=())
BROKEN = (ArgumentError("/order_id", "does not match"),)
INVENTED = (Ungrounded("/order_id", "ORD-1234"),)

FAULTS: list[tuple[CallCheck, Outcome, ReasonCode, str]] = [
    (replace(GOOD, allowed=False), "abstained", "policy", "not among the tools of the request"),
    (replace(GOOD, drift="breaking"), "abstained", "drift", "has drifted"),
    (replace(GOOD, held=True), "abstained", "policy", "a person must approve"),
    (replace(GOOD, schema=None), "invalid", "schema", "there is no tool 'track_order'"),
    (replace(GOOD, schema=BROKEN), "invalid", "schema", "track_order: /order_id: does not match"),
    (replace(GOOD, grounding=INVENTED), "abstained", "not_grounded", "/order_id 'ORD-1234'"),
]


def judge(*checks: CallCheck, confidence: float | None = 1.0, threshold: float = 0.5) -> Decision:
    route = Route(tuple(check.call for check in checks), confidence=confidence)
    return decide(route, checks, threshold)


def test_a_call_without_faults_is_made() -> None:
    assert judge(GOOD) == Decision("call", (CALL,))


@pytest.mark.parametrize(("check", "outcome", "code", "words"), FAULTS)
def test_a_fault_withholds_the_call_and_gives_its_reason(
    check: CallCheck, outcome: Outcome, code: ReasonCode, words: str
) -> None:
    decision = judge(check)
    assert (decision.outcome, decision.reason_code) == (outcome, code)
    assert words in (decision.reason or "")
    assert decision.calls == ()
    assert decision.proposal == (CALL,)


@pytest.mark.parametrize("first", range(len(FAULTS)))
def test_of_several_faults_the_first_in_order_gives_the_reason(first: int) -> None:
    # This fault and every later one at once, and no confidence beside them. A tool that does not
    # exist and a broken schema exclude each other, so one of the two stands in turn.
    rest = [check for check, *_ in FAULTS[first:]]
    check = CallCheck(
        CALL,
        schema=rest[0].schema if rest[0].schema != () else BROKEN if first < 5 else (),
        grounding=INVENTED,
        drift="breaking" if first <= 1 else "none",
        allowed=first > 0,
        held=first <= 2,
    )
    decision = judge(check, confidence=0.0)
    assert (decision.outcome, decision.reason_code) == FAULTS[first][1:3]


def test_an_unreadable_answer_is_invalid_and_proposes_nothing() -> None:
    decision = decide(Route(error="the answer is not JSON", confidence=0.0), (), 0.5)
    assert decision == Decision("invalid", reason="the answer is not JSON", reason_code="parse")


def test_no_tool_is_an_answer_even_without_confidence() -> None:
    decision = decide(Route(reason="need order_id", confidence=0.0), (), 0.9)
    assert decision == Decision("no_tool", reason="need order_id")


@pytest.mark.parametrize(
    ("confidence", "threshold", "outcome"),
    [
        (0.49, 0.5, "abstained"),
        (0.5, 0.5, "call"),
        (0.0, 0.0, "call"),
        (None, 1.0, "call"),
        (0.999, 1.0, "abstained"),
    ],
)
def test_confidence_below_the_threshold_abstains(
    confidence: float | None, threshold: float, outcome: Outcome
) -> None:
    decision = judge(GOOD, confidence=confidence, threshold=threshold)
    assert decision.outcome == outcome
    assert (decision.reason_code == "low_confidence") == (outcome == "abstained")
    assert decision.proposal == (None if outcome == "call" else (CALL,))


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_withheld_call_withholds_all(place: int) -> None:
    checks = [GOOD, GOOD, GOOD]
    checks[place] = replace(GOOD, grounding=INVENTED)
    decision = judge(*checks)
    assert decision.calls == ()
    assert decision.proposal == (CALL, CALL, CALL)
    assert decision.reason_code == "not_grounded"


def test_the_same_call_twice_is_withheld_unless_it_has_a_fault_of_its_own() -> None:
    one, same = (Call("t", {"a": {"x": 1, "y": 2.0}}), Call("t", {"a": {"y": 2, "x": 1}}))
    twice = [CallCheck(one, ()), GOOD, CallCheck(same, ())]
    decision = judge(*twice, confidence=0.0)
    assert (decision.outcome, decision.reason_code) == ("abstained", "policy")
    assert decision.reason == "the same call stands twice in one answer"
    assert decision.proposal == (one, CALL, same)
    assert judge(GOOD, replace(GOOD, grounding=INVENTED)).reason_code == "not_grounded"
    other = Call(CALL.tool, {"order_id": "ORD-4321"})
    assert judge(GOOD, replace(GOOD, call=other)).outcome == "call"


@pytest.mark.parametrize("grade", GRADES)
def test_only_masked_grades_withhold(grade: DriftGrade) -> None:
    assert (judge(replace(GOOD, drift=grade)).reason_code == "drift") == (grade in MASKED)


def test_a_drifted_tool_is_judged_by_its_schema_when_nothing_is_masked() -> None:
    check = replace(GOOD, drift="breaking", schema=BROKEN)
    decision = decide(Route((CALL,)), [check], 0.5, frozenset())
    assert decision.reason_code == "schema"


def test_the_checks_of_a_reply_list_all_findings_and_the_worst_drift() -> None:
    checks = [
        replace(GOOD, schema=BROKEN, drift="description"),
        replace(GOOD, grounding=INVENTED, drift="breaking"),
        replace(GOOD, schema=None),
    ]
    assert checks_as_dict(checks) == {
        "schema": [{"pointer": "/order_id", "message": "does not match"}],
        "grounding": [{"pointer": "/order_id", "value": "ORD-1234"}],
        "drift": "breaking",
    }
