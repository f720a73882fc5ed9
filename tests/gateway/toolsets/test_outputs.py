"""What a tool gave back is held against its output schema, if that can be used."""

from typing import Any

import pytest
from mcp.types import CallToolResult

from gateway.toolsets.outputs import output_error

COUNT = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def result(**more: Any) -> CallToolResult:
    return CallToolResult.model_validate({"content": [], **more})


@pytest.mark.parametrize(
    ("structured", "error"),
    [
        ({"structuredContent": {"n": 1}}, None),
        ({"structuredContent": {"n": "1"}}, '/n: "1" is not of type "integer"'),
        ({"structuredContent": {}}, '/: "n" is a required property'),
        ({"structuredContent": None}, '/: null is not of type "object"'),
        ({}, "it has no structured content"),
    ],
)
def test_the_first_violation_is_told(structured: dict[str, Any], error: str | None) -> None:
    assert output_error("s", "count", COUNT, result(**structured)) == error


def test_a_schema_that_cannot_be_used_counts_as_none_and_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for _ in range(2):
        schema = {"type": "object", "$ref": "https://example.com/far.json"}
        assert output_error("s", "far", schema, result(structuredContent={"n": 1})) is None
    (record,) = caplog.records
    assert record.getMessage().startswith("results of tool far of server s are not checked: ")
    assert "https://example.com/far.json" in record.getMessage()


def test_a_changed_schema_is_another_one() -> None:
    given = result(structuredContent=True)
    assert output_error("s", "changes", {"const": 1}, given) is not None
    assert output_error("s", "changes", {"const": True}, given) is None
