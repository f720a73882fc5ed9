"""The rule of `--auto`: when a trial ends, and how."""

import pytest

from gateway.adapters.tally import Counts
from gateway.adapters.trial import TrialKind
from gateway.adapters.verdict import Judgement, margin_z, pooled_z, verdict


def counts(
    n: int,
    *,
    invalid: int = 0,
    abstained: int = 0,
    no_tool: int = 0,
    errors: int = 0,
    p95_s: float = 0.1,
    disagreed: int = 0,
) -> Counts:
    outcomes = {
        "call": n - invalid - abstained - no_tool - errors,
        "no_tool": no_tool,
        "invalid/parse": invalid,
        "abstained/low_confidence": abstained,
    }
    return Counts(n, outcomes, errors, n, n - disagreed, seconds=(p95_s,))


@pytest.mark.parametrize(
    ("old", "new", "judgement"),
    [
        (counts(0), counts(0), "go on"),
        # Ten of 49 broke; with fifty requests of each it is an alarm.
        (counts(49), counts(49, invalid=10), "go on"),
        (counts(50), counts(50, invalid=10), "roll back"),
        (counts(50), counts(50, errors=10), "roll back"),
        (counts(50), counts(50, invalid=5, errors=5), "roll back"),
        # Abstaining is an annoyance, no damage: it is judged at the looks.
        (counts(50), counts(50, abstained=50), "go on"),
        (counts(50, invalid=10), counts(50, invalid=10), "go on"),
        (counts(50, errors=10), counts(50), "go on"),
        (counts(450, invalid=1), counts(50, invalid=4), "roll back"),
    ],
)
def test_a_trial_is_rolled_back_as_soon_as_its_version_breaks_significantly_more(
    old: Counts, new: Counts, judgement: Judgement
) -> None:
    assert verdict("canary", old, new).judgement == judgement


@pytest.mark.parametrize(
    ("old", "new", "judgement"),
    [
        (counts(200), counts(200), "promote"),
        (counts(199), counts(200), "go on"),
        (counts(200), counts(199), "go on"),
        # Between two looks nothing is promoted.
        (counts(300), counts(201), "go on"),
        (counts(400), counts(400), "promote"),
        # As good, but two hundred requests prove no margin of two points at this share.
        (counts(200, abstained=20), counts(200, abstained=20), "go on"),
        (counts(1400, abstained=140), counts(1400, abstained=140), "promote"),
        (counts(1400, abstained=140), counts(1400, abstained=168), "go on"),
        (counts(1400, abstained=140), counts(1400, abstained=70), "promote"),
        (counts(200, p95_s=0.1), counts(200, p95_s=0.15), "promote"),
        (counts(200, p95_s=0.1), counts(200, p95_s=0.16), "go on"),
    ],
)
def test_a_trial_is_promoted_once_its_version_is_proven_to_leave_little_more_and_to_be_fast(
    old: Counts, new: Counts, judgement: Judgement
) -> None:
    assert verdict("canary", old, new).judgement == judgement


@pytest.mark.parametrize(
    ("old", "new", "judgement"),
    [
        (counts(200), counts(200, abstained=200), "roll back"),
        (counts(1000, abstained=20), counts(1000, abstained=1000), "roll back"),
        (counts(9000, abstained=900), counts(1000, abstained=200), "roll back"),
        # Between two looks, and before the version in service has enough.
        (counts(200), counts(399, abstained=399), "go on"),
        (counts(199), counts(200, abstained=200), "go on"),
        # More than in service, but not shown to be more than is allowed.
        (counts(1400, abstained=140), counts(1400, abstained=200), "go on"),
    ],
)
def test_a_trial_is_rolled_back_at_a_look_that_proves_its_version_to_leave_too_much(
    old: Counts, new: Counts, judgement: Judgement
) -> None:
    assert verdict("canary", old, new).judgement == judgement


@pytest.mark.parametrize(
    ("no_tool", "judgement"),
    [(0, "go on"), (70, "go on"), (71, "promote"), (133, "promote"), (134, "go on"),
     (1000, "go on")],
)  # fmt: skip
def test_a_version_that_answers_no_tool_more_or_less_often_is_not_promoted(
    no_tool: int, judgement: Judgement
) -> None:
    found = verdict("canary", counts(1000, no_tool=100), counts(1000, no_tool=no_tool))
    assert found.judgement == judgement
    assert judgement == "promote" or f"no_tool is its answer to {no_tool} of" in found.reason


@pytest.mark.parametrize(
    ("kind", "disagreed", "judgement"),
    [("shadow", 10, "promote"), ("shadow", 11, "go on"), ("canary", 11, "promote")],
)
def test_a_shadow_must_agree_to_be_promoted(
    kind: TrialKind, disagreed: int, judgement: Judgement
) -> None:
    assert verdict(kind, counts(200), counts(200, disagreed=disagreed)).judgement == judgement


def test_drift_that_hits_the_new_version_alone_ends_its_trial_at_once() -> None:
    found = verdict("canary", counts(0), counts(0), worse_drift=True)
    assert found.judgement == "roll back"
    assert "drifted worse" in found.reason


def test_a_verdict_says_why() -> None:
    found = verdict("canary", counts(50), counts(50, invalid=10))
    assert found.reason.startswith("10 of 50 requests broke, 0 of 50 in service")


def test_the_statistics_are_those_of_the_textbook() -> None:
    # 20 of 100 against 10 of 100: pooled share 0.15, standard error 0.0505.
    assert pooled_z(10, 100, 20, 100) == pytest.approx(1.9803, abs=1e-4)
    assert pooled_z(0, 100, 0, 100) == 0.0
    # Agresti and Caffo: 11/102 on both sides, standard error 0.04342.
    assert margin_z(10, 100, 10, 100, 0.02) == pytest.approx(0.4606, abs=1e-3)
