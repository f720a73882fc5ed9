"""What the conformance run reads, tells and complains of. `make conformance` runs the suites."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.end_to_end.conformance.outcome import Outcome, Scenario, read_outcome
from tests.end_to_end.conformance.report import as_json, complaints, failures, table

GOOD, BAD = Scenario(2), Scenario(2, ("check: was not so",))
SAID = "Running all suite ({} scenarios) against it\n"


def ran(
    upstream: Mapping[str, Scenario], gateway: Mapping[str, Scenario]
) -> dict[str, dict[str, Outcome]]:
    unscored = frozenset({"extra"})
    return {"s": {"upstream": Outcome(upstream, unscored), "gateway": Outcome(gateway, unscored)}}


def written(folder: Path, **checks: list[dict[str, str]] | None) -> Path:
    """Results as a suite leaves them; None for a scenario that broke off."""
    for scenario, found in checks.items():
        made = folder / f"server-{scenario}-2026-11-26T20-15-03-070Z"
        made.mkdir()
        if found is not None:
            (made / "checks.json").write_text(json.dumps(found))
    return folder


def test_a_scenario_fails_with_its_checks_and_a_warning_is_no_failure(tmp_path: Path) -> None:
    no = {"id": "b", "status": "FAILURE", "errorMessage": "was not so"}
    folder = written(
        tmp_path,
        one=[{"id": "a", "status": "SUCCESS"}, {"id": "i", "status": "INFO"}],
        two=[{"id": "a", "status": "SUCCESS"}, no],
        three=[{"id": "w", "status": "WARNING"}],
    )
    outcome = read_outcome(folder, SAID.format(3), frozenset({"three"}))
    assert outcome.scenarios == {
        "one": Scenario(1),
        "two": Scenario(2, ("b: was not so",)),
        "three": Scenario(0, (), ("w: failed",)),
    }
    assert outcome.scored == {"passed": 1, "failed": 1}
    assert outcome.not_scored == {"passed": 1, "failed": 0}


def test_a_scenario_that_broke_off_has_failed(tmp_path: Path) -> None:
    outcome = read_outcome(written(tmp_path, one=None), SAID.format(1), frozenset())
    assert outcome.failed == {"one"}


@pytest.mark.parametrize("said", [SAID.format(2), "Error: no such URL", ""])
def test_a_suite_that_did_not_run_whole_is_no_outcome(tmp_path: Path, said: str) -> None:
    folder = written(tmp_path, one=[{"id": "a", "status": "SUCCESS"}])
    with pytest.raises(ValueError, match="did not run whole: 1 scenarios"):
        read_outcome(folder, said, frozenset())


def test_no_scenario_at_all_is_no_outcome(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="did not run whole"):
        read_outcome(tmp_path, SAID.format(0), frozenset())


def test_an_unexpected_failure_is_complained_of_scored_or_not() -> None:
    outcomes = ran({"one": GOOD, "extra": GOOD}, {"one": BAD, "extra": BAD})
    assert complaints(outcomes, {}) == ["s, gateway: extra failed", "s, gateway: one failed"]
    assert failures(outcomes, {})[0] == "FAILED: s, gateway: one: check: was not so"


def test_an_expected_failure_is_told_and_not_complained_of() -> None:
    outcomes = ran({"one": BAD}, {"one": GOOD})
    expected = {"s": {"upstream": {"one": "because"}}}
    assert complaints(outcomes, expected) == []
    assert failures(outcomes, expected) == ["expected: s, upstream: one: because"]


def test_the_list_of_expected_failures_may_only_shrink() -> None:
    outcomes = ran({"one": GOOD}, {"one": GOOD})
    expected = {"s": {"upstream": {"one": "because", "gone": "because"}}}
    assert complaints(outcomes, expected) == [
        "s, upstream: gone passed: take it out of the expected failures",
        "s, upstream: one passed: take it out of the expected failures",
    ]


def test_expected_failures_of_what_nobody_runs_are_complained_of() -> None:
    outcomes = ran({"one": GOOD}, {"one": GOOD})
    expected = {"old": {"gateway": {}}, "s": {"nobody": {}}}
    assert complaints(outcomes, expected) == [
        "expected failures of old, gateway: nobody runs that",
        "expected failures of s, nobody: nobody runs that",
    ]


def test_the_table_and_the_json_count_what_the_suite_scores() -> None:
    warned = Scenario(1, (), ("check: could be better",))
    outcomes = ran(
        {"one": GOOD, "two": BAD, "extra": BAD}, {"one": warned, "two": GOOD, "extra": BAD}
    )
    assert as_json(outcomes) == {
        "s": {"upstream": {"passed": 1, "failed": 1}, "gateway": {"passed": 2, "failed": 0}}
    }
    assert table(outcomes) == [
        "| suite | upstream | gateway |",
        "|---|---|---|",
        "| s | 1 passed, 1 failed (3 of 4 checks) "
        "| 2 passed, 0 failed (3 of 3 checks, 1 warnings) |",
        "| s, not scored | 0 passed, 1 failed | 0 passed, 1 failed |",
    ]
    assert failures(outcomes, {})[-2:] == [
        "warning: s, gateway: one: check: could be better",
        "FAILED: s, gateway: extra: check: was not so",
    ]
