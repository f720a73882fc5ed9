"""A schema whose references multiply costs a bounded number of steps, or its check is refused."""

from typing import Any

import pytest
from mcp.types import Tool

from gateway.effort import Effort, Endless
from gateway.validate import SchemaError, ToolValidator

ROOT = {"$ref": "#"}
TWICE: dict[str, dict[str, Any]] = {
    "anyOf": {"properties": {"x": {"anyOf": [ROOT, ROOT]}}},
    "oneOf": {"properties": {"x": {"oneOf": [ROOT, ROOT]}}},
    "allOf": {"allOf": [{"properties": {"x": ROOT}}, {"properties": {"x": ROOT}}]},
    "not": {"properties": {"x": {"not": {"anyOf": [ROOT, {"not": ROOT}]}}}},
    "a pattern": {"properties": {"x": ROOT}, "patternProperties": {"^x": ROOT}},
    "a definition": {"properties": {"x": {"$ref": "#/$defs/N"}}, "$defs": {
        "N": {"type": "object", "properties": {"x": {"anyOf": [{"$ref": "#/$defs/N"}] * 2}}}}},
    "an anchor": {"properties": {"x": {"anyOf": [{"$ref": "#a"}, {"$ref": "#a"}]}}, "$defs": {
        "N": {"$anchor": "a", "properties": {"x": {"anyOf": [{"$ref": "#a"}] * 2}}}}},
    "a dynamic anchor": {"$dynamicAnchor": "a", "properties": {
        "x": {"anyOf": [{"$dynamicRef": "#a"}, {"$dynamicRef": "#a"}]}}},
    "an identifier": {"$id": "https://example.org/t", "properties": {
        "x": {"anyOf": [{"$ref": "https://example.org/t"}, {"$ref": "https://example.org/t"}]}}},
}  # fmt: skip


def nested(levels: int, leaf: Any = 3) -> Any:
    value = leaf
    for _ in range(levels):
        value = {"x": value}
    return value


def validator(schema: dict[str, Any]) -> ToolValidator:
    return ToolValidator(Tool(name="t", input_schema={"type": "object", **schema}))


@pytest.mark.parametrize("name", TWICE)
def test_a_check_that_would_double_at_each_level_is_refused(name: str):
    checked = validator(TWICE[name])
    [error] = checked.errors(nested(60))
    assert "too many steps" in error.message
    assert all("too many steps" not in e.message for e in checked.errors(nested(3)))


def test_definitions_that_double_are_refused():
    chain = {f"D{i}": {"anyOf": [{"$ref": f"#/$defs/D{i + 1}"}] * 2} for i in range(60)}
    checked = validator({"properties": {"x": {"$ref": "#/$defs/D0"}},
                         "$defs": {**chain, "D60": {"type": "string"}}})  # fmt: skip
    [error] = checked.errors({"x": 3})
    assert "too many steps" in error.message
    assert checked.errors({}) == []


def test_many_references_that_lead_back_without_an_end_are_refused_with_the_tool():
    names = [f"D{i}" for i in range(12)]
    loops = {n: {"anyOf": [{"$ref": f"#/$defs/{m}"} for m in names if m != n]} for n in names}
    schema = {"properties": {"x": {"$ref": "#/$defs/D0"}}, "$defs": loops}
    with pytest.raises(SchemaError, match="refers to itself without an end"):
        validator(schema)
    with pytest.raises(Endless):
        Effort(schema)


def test_trees_and_json_itself_are_checked_at_any_size():
    tree = {"properties": {"x": ROOT, "y": ROOT, "n": {"type": "integer"}}}
    assert validator(tree).errors(nested(60, {"n": 1})) == []
    assert [e.pointer for e in validator(tree).errors({"x": {"n": "a"}})] == ["/x/n"]
    anything = {"properties": {"v": {"$ref": "#/$defs/J"}}, "$defs": {"J": {"anyOf": [
        {"type": ["string", "number", "boolean", "null"]},
        {"type": "array", "items": {"$ref": "#/$defs/J"}},
        {"type": "object", "additionalProperties": {"$ref": "#/$defs/J"}},
    ]}}}  # fmt: skip
    assert validator(anything).errors({"v": [nested(50, [1, "a", None])] * 100}) == []


def test_a_schema_that_does_not_recur_is_not_priced():
    schema = {"properties": {"x": {"type": "array", "items": {"$ref": "#/$defs/N"}}},
              "$defs": {"N": {"properties": {"a": {"type": "integer"}}}}}  # fmt: skip
    assert validator(schema).errors({"x": [{"a": 1}] * 60_000}) == []
