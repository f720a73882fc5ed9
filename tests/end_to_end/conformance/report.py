"""Outcomes of the conformance suites as a table, lines of failures, complaints and a JSON object.

A target is who was asked: the upstream, or the gateway before it. Expected failures are a JSON file
of suite -> target -> scenario -> why; the list may only shrink.
"""

from collections.abc import Mapping

from tests.end_to_end.conformance.outcome import Outcome

TARGETS = ("upstream", "gateway")

Outcomes = Mapping[str, Mapping[str, Outcome]]
"""Suite -> target -> outcome."""
Expected = Mapping[str, Mapping[str, Mapping[str, str]]]


def table(outcomes: Outcomes) -> list[str]:
    """Markdown rows: passed and failed scenarios, with the checks and the warnings within them."""
    rows = ["| suite | " + " | ".join(TARGETS) + " |", "|---" * (1 + len(TARGETS)) + "|"]
    for suite, by_target in outcomes.items():
        cells = [_cell(by_target[target]) for target in TARGETS]
        rows.append(f"| {suite} | " + " | ".join(cells) + " |")
        if any(outcome.unscored for outcome in by_target.values()):
            counts = [by_target[target].not_scored for target in TARGETS]
            cells = [f"{c['passed']} passed, {c['failed']} failed" for c in counts]
            rows.append(f"| {suite}, not scored | " + " | ".join(cells) + " |")
    return rows


def _cell(outcome: Outcome) -> str:
    scored = [s for name, s in outcome.scenarios.items() if name not in outcome.unscored]
    checks = sum(scenario.checks for scenario in scored)
    held = checks - sum(len(scenario.faults) for scenario in scored)
    warnings = sum(len(scenario.warnings) for scenario in scored)
    count = outcome.scored
    text = f"{count['passed']} passed, {count['failed']} failed ({held} of {checks} checks"
    return text + (f", {warnings} warnings)" if warnings else ")")


def failures(outcomes: Outcomes, expected: Expected) -> list[str]:
    """One line per failed scenario, and what it missed; one per warning."""
    lines: list[str] = []
    for suite, by_target in outcomes.items():
        for target, outcome in by_target.items():
            for name, scenario in outcome.scenarios.items():
                why = expected.get(suite, {}).get(target, {}).get(name)
                if scenario.faults and why is not None:
                    lines.append(f"expected: {suite}, {target}: {name}: {why}")
                elif scenario.faults:
                    lines += [f"FAILED: {suite}, {target}: {name}: {f}" for f in scenario.faults]
                lines += [f"warning: {suite}, {target}: {name}: {w}" for w in scenario.warnings]
    return lines


def complaints(outcomes: Outcomes, expected: Expected) -> list[str]:
    """Why the run as a whole failed, nothing if it did not."""
    found: list[str] = []
    for suite, by_target in outcomes.items():
        for target, outcome in by_target.items():
            known = expected.get(suite, {}).get(target, {}).keys()
            found += [f"{suite}, {target}: {n} failed" for n in sorted(outcome.failed - known)]
            found += [
                f"{suite}, {target}: {name} passed: take it out of the expected failures"
                for name in sorted(known - outcome.failed)
            ]
    unknown = {
        f"{suite}, {target}"
        for suite, targets in expected.items()
        for target in targets
        if target not in outcomes.get(suite, {})
    }
    return found + [f"expected failures of {name}: nobody runs that" for name in sorted(unknown)]


def as_json(outcomes: Outcomes) -> dict[str, dict[str, dict[str, int]]]:
    """Suite -> target -> `{"passed", "failed"}`, of the scenarios that the suite scores."""
    return {
        suite: {target: outcome.scored for target, outcome in by_target.items()}
        for suite, by_target in outcomes.items()
    }
