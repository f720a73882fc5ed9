"""What the fuzz reads, counts and complains of. `make fuzz` runs it."""

import json
from typing import Any

from tests.end_to_end.fuzz.report import Report, read_report

DECLARED = {"GET /a", "POST /b/{name}"}


def case(operation: str, status: int | None, **checks: str) -> dict[str, Any]:
    """One case as schemathesis writes it down; no status for one that was never answered."""
    method, _, path = operation.partition(" ")
    answer = {} if status is None else {"response": {"status_code": status}}
    return {
        "case": {"value": {"method": method, "path": path}},
        "interaction": {"request": {"uri": path}, **answer},
        "checks": [{"name": name, "status": found} for name, found in checks.items()],
    }


def read(*cases: dict[str, Any]) -> Report:
    made = list(enumerate(cases))
    recorder = {
        "cases": {f"c{i}": each["case"] for i, each in made},
        "interactions": {f"c{i}": each["interaction"] for i, each in made},
        "checks": {f"c{i}": each["checks"] for i, each in made},
    }
    events = [{"Initialize": {"seed": 1}}, {"ScenarioFinished": {"recorder": recorder}}]
    return read_report([json.dumps(event) for event in events], DECLARED)


def test_cases_are_counted_by_operation_and_status() -> None:
    report = read(case("GET /a", 200), case("GET /a", 404), case("POST /b/{name}", 200))
    assert report.operations == {"GET /a": {200: 1, 404: 1}, "POST /b/{name}": {200: 1}}
    assert report.cases == 3
    assert report.complaints(3) == []
    assert report.complaints(4) == ["3 cases, and 4 are wanted"]


def test_methods_that_a_path_does_not_declare_are_counted_apart() -> None:
    report = read(case("GET /a", 200), case("TRACE /a", 405))
    assert (report.cases, report.elsewhere) == (1, {405: 1})
    assert report.complaints(1) == ["POST /b/{name} had no case"]
    assert [line.split() for line in report.table()][-1] == [
        "(methods", "not", "declared)", "1", "405:", "1",
    ]  # fmt: skip


def test_a_case_that_fails_several_checks_counts_once_of_each_kind() -> None:
    failing = case(
        "GET /a", 500, not_a_server_error="failure", status_code_conformance="failure",
        content_type_conformance="failure",
    )  # fmt: skip
    report = read(failing, case("POST /b/{name}", 200, status_code_conformance="success"))
    assert (report.server_errors, report.undeclared) == (1, 1)
    assert report.complaints(0) == ["1 server errors", "1 answers not as declared"]
    assert set(report.faults) == {
        "GET /a: not_a_server_error, status 500",
        "GET /a: status_code_conformance, status 500",
        "GET /a: content_type_conformance, status 500",
    }


def test_a_server_error_of_an_undeclared_method_counts_too() -> None:
    report = read(case("TRACE /a", 500, not_a_server_error="failure"))
    assert report.server_errors == 1


def test_a_case_that_was_never_answered_is_no_case_and_a_complaint() -> None:
    report = read(case("GET /a", None), case("POST /b/{name}", 200))
    assert (report.cases, report.unanswered) == (1, 1)
    assert "1 cases without an answer" in report.complaints(0)
