"""Checking what a tool gave back: nothing is lost that was not proven wrong."""

from typing import Any

import pytest

from gateway.validate import ResultValidator, SchemaError

DATE = {"type": "object", "properties": {"day": {"type": "string", "format": "date"}}}
TREE = {"properties": {"x": {"anyOf": [{"$ref": "#"}] * 2}}}


def nested(levels: int) -> Any:
    value: Any = 3
    for _ in range(levels):
        value = {"x": value}
    return value


@pytest.mark.parametrize(
    ("schema", "value", "pointer"),
    [
        (DATE, {"day": 3}, "/day"),
        ({"type": "array", "items": {"type": "string"}}, ["a", 1], "/1"),
        ({"enum": ["a"]}, "b", ""),
        (TREE | {"type": "object"}, [], ""),
    ],
)
def test_the_first_violation_of_any_schema_is_found(
    schema: dict[str, Any], value: Any, pointer: str
):
    error = ResultValidator(schema).error(value)
    assert error is not None
    assert error.pointer == pointer


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (DATE, {"day": "tomorrow"}),  # formats are annotations
        ({"properties": {"x": {"type": "object"}}}, nested(65)),
        (TREE, nested(60)),
        ({"pattern": r"^(?!x)(a|aa)+\1$"}, "a" * 60 + "!"),
        ({"type": "string"}, "\ud800"),
    ],
    ids=["format", "deep", "growing", "backtracking", "half a surrogate pair"],
)
def test_what_is_not_proven_wrong_is_valid(schema: dict[str, Any], value: Any):
    assert ResultValidator(schema).error(value) is None


def test_a_schema_that_cannot_be_used_is_refused_with_a_reason():
    with pytest.raises(SchemaError, match="the output schema cannot be compiled: "):
        ResultValidator({"$ref": "https://example.com/far.json"})
