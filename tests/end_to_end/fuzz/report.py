"""What a run of schemathesis came to, read from the events that it wrote.

A case counts for the operation whose method and path it has. Cases of methods that a path does not
declare were sent and checked as well, and are counted apart.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

_SERVER_ERROR = "not_a_server_error"


@dataclass
class Report:
    """Statuses of the cases by operation; the cases that failed a check, and what failed."""

    operations: Mapping[str, Counter[int]]
    elsewhere: Counter[int] = field(default_factory=Counter[int])
    server_errors: int = 0
    undeclared: int = 0
    unanswered: int = 0
    faults: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def cases(self) -> int:
        """How many cases the operations had together."""
        return sum(statuses.total() for statuses in self.operations.values())

    def complaints(self, least: int) -> list[str]:
        """Why the run is no success, in lines; `least` is how many cases it has to have."""
        found = [f"{self.server_errors} server errors"] if self.server_errors else []
        found += [f"{self.undeclared} answers not as declared"] if self.undeclared else []
        found += [f"{self.unanswered} cases without an answer"] if self.unanswered else []
        found += [f"{name} had no case" for name, had in self.operations.items() if not had]
        if self.cases < least:
            found.append(f"{self.cases} cases, and {least} are wanted")
        return found

    def table(self) -> Iterator[str]:
        """One line an operation: how many cases, and the statuses of their answers."""
        rows = [*self.operations.items(), ("(methods not declared)", self.elsewhere)]
        for name, statuses in rows:
            told = "  ".join(f"{status}: {count}" for status, count in sorted(statuses.items()))
            yield f"{name:42} {statuses.total():6}   {told}"


def read_report(lines: Iterable[str], declared: Set[str]) -> Report:
    """Read the events; `declared` are the operations as `METHOD /path`."""
    report = Report({name: Counter[int]() for name in sorted(declared)})
    for line in lines:
        scenario = json.loads(line).get("ScenarioFinished")
        if scenario is not None:
            _count(report, scenario["recorder"])
    return report


def _count(report: Report, recorder: Mapping[str, Any]) -> None:
    sent, checked = recorder.get("interactions", {}), recorder.get("checks", {})
    for id, case in recorder.get("cases", {}).items():
        name = f"{case['value']['method']} {case['value']['path']}"
        answer = sent.get(id, {}).get("response")
        if answer is None:
            report.unanswered += 1
            continue
        report.operations.get(name, report.elsewhere)[answer["status_code"]] += 1
        failed = [check for check in checked.get(id, ()) if check["status"] == "failure"]
        report.server_errors += any(check["name"] == _SERVER_ERROR for check in failed)
        report.undeclared += any(check["name"] != _SERVER_ERROR for check in failed)
        for check in failed:
            kind = f"{name}: {check['name']}, status {answer['status_code']}"
            report.faults.setdefault(kind, json.dumps([sent[id].get("request"), check])[:3000])
