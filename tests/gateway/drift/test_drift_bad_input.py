"""Schemas that nobody should send are graded in bounded steps: never a hang, never a crash."""

from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp.types import Tool

from gateway.drift import DriftGrade, compare
from gateway.types import Toolset


def grade(before: dict[str, Any], after: dict[str, Any]) -> DriftGrade:
    tools = [Tool.model_construct(name="it", input_schema=schema) for schema in (before, after)]
    found = compare(Toolset("its", (tools[0],)), {"it": tools[1]})
    assert [tool.as_dict()["tool"] for tool in found.tools] == ["it"] * len(found.tools)
    return found.worst


def copied(value: Any) -> Any:
    """Equal but not the same object, whatever the depth."""
    top: list[Any] = [None]
    places = [(value, top, 0)]
    while places:
        source, parent, key = places.pop()
        if isinstance(source, dict):
            parent[key] = dict.fromkeys(source)
            places += [(inner, parent[key], name) for name, inner in source.items()]
        elif isinstance(source, list):
            parent[key] = [None] * len(source)
            places += [(inner, parent[key], i) for i, inner in enumerate(source)]
        else:
            parent[key] = source
    return top[0]


def nested(levels: int, key: str, leaf: Any) -> dict[str, Any]:
    schema: dict[str, Any] = leaf
    for _ in range(levels):
        inner: Any = {"a": schema} if key == "properties" else schema
        schema = {key: [inner] if key in ("anyOf", "allOf") else inner}
    return {"type": "object", **schema}


def doubling(levels: int, leaf: Any) -> dict[str, Any]:
    """A schema whose references double at each level."""
    both = {
        f"D{i}": {"properties": {n: {"$ref": f"#/$defs/D{i + 1}"} for n in "ab"}}
        for i in range(levels)
    }
    return {"type": "object", "$ref": "#/$defs/D0", "$defs": {**both, f"D{levels}": leaf}}


def large(leaf: Any) -> dict[str, Any]:
    """More than a megabyte."""
    members = {f"argument_{i:06}": {"type": "string", "maxLength": 9} for i in range(20_000)}
    return {"type": "object", "properties": {**members, "last": leaf}}


def listing(last: str) -> dict[str, Any]:
    values = [f"value number {i:08}" for i in range(50_000)]
    return {"type": "object", "properties": {"x": {"enum": [*values, last]}}}


def anchored(leaf: Any) -> dict[str, Any]:
    """A thousand references that can be followed only in the whole of a large schema."""
    many = {f"D{i}": {"type": "string", "maxLength": i} for i in range(9_000)}
    members = {f"argument_{i}": {"$ref": "#a"} for i in range(1_000)}
    return {
        "type": "object",
        "properties": members,
        "$defs": {**many, "A": {"$anchor": "a", **leaf}},
    }


def around_values(levels: int, key: str, last: str) -> dict[str, Any]:
    """Many values, at the bottom of a keyword within itself."""
    schema: Any = {"enum": [f"value number {i:08}" for i in range(5_000)] + [last]}
    for _ in range(levels):
        several = [{"type": "array", "items": schema}, {"type": "array", "maxItems": 3}]
        schema = {"type": "array", key: schema} if key == "contains" else {key: several}
    return {"type": "object", "properties": {"x": schema}}


def between_values(last: str) -> dict[str, Any]:
    """Many branches with many values each."""
    branches = [
        {"pattern": f"{i}", "enum": [f"{last} {i:03} {j:05}" for j in range(140)]}
        for i in range(300)
    ]
    return {"type": "object", "properties": {"x": {"anyOf": branches}}}


TEXT, NUMBER = {"type": "string"}, {"type": "integer"}
LOOP = {"$ref": "#/$defs/A"}
PAIRS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    *((f"{levels} levels of {key}", nested(levels, key, TEXT), nested(levels, key, NUMBER))
      for levels in (60, 200, 10_000) for key in ("properties", "items", "anyOf", "allOf", "not")),
    ("references that double", doubling(40, TEXT), doubling(40, NUMBER)),
    ("a megabyte of arguments", large(TEXT), large(NUMBER)),
    ("a megabyte of values", listing("a"), listing("b")),
    ("a loop of references", {"$defs": {"A": LOOP}, **LOOP}, {"$defs": {"A": TEXT}, **LOOP}),
    ("a loop of two", {"$defs": {"A": {"$ref": "#/$defs/B"}, "B": LOOP}, **LOOP},
     {"$defs": {"A": {"$ref": "#/$defs/B"}, "B": {"anyOf": [LOOP, TEXT]}}, **LOOP}),
    ("itself", {"properties": {"x": {"$ref": "#"}}}, {"properties": {"x": {"not": {"$ref": "#"}}}}),
    ("a remote reference", {"properties": {"x": {"$ref": "https://example.org/a.json"}}},
     {"properties": {"x": {"$ref": "https://example.org/b.json"}}}),
    ("a reference to nowhere", {"$ref": "#/$defs/No"}, {"$ref": "#/$defs/Yes"}),
    ("an anchor's target", {"$ref": "#a", "$defs": {"A": {"$anchor": "a", **TEXT}}},
     {"$ref": "#a", "$defs": {"A": {"$anchor": "a", **NUMBER}}}),
    ("the target of an identifier", {"$ref": "https://example.org/a", "$defs": {
        "A": {"$id": "https://example.org/a", **TEXT}}},
     {"$ref": "https://example.org/a", "$defs": {
         "A": {"$id": "https://example.org/a", **NUMBER}}}),
    ("a dynamic reference's target", {"$dynamicRef": "#a", "$defs": {
        "A": {"$dynamicAnchor": "a", **TEXT}}},
     {"$dynamicRef": "#a", "$defs": {"A": {"$dynamicAnchor": "a", **NUMBER}}}),
    ("an exclusive bound of draft-04", {"properties": {"x": {"minimum": 1}}},
     {"properties": {"x": {"minimum": 1, "exclusiveMinimum": True}}}),
    ("contradictions", {"type": "string", "minLength": 5, "maxLength": 2, "enum": ["a"]},
     {"type": "string", "minLength": 5, "maxLength": 2, "enum": ["b"]}),
    ("bounds that are no numbers", {"minimum": "one", "maxLength": [], "required": "x"},
     {"minimum": "two", "maxLength": {}, "required": {"x": 1}}),
    ("bounds without end", {"minimum": float("inf")}, {"minimum": float("nan")}),
    ("great bounds", {"maximum": 10**400}, {"maximum": 10**399}),
    ("schemas that are none", {"properties": {"x": 5}}, {"properties": {"x": [1]}}),
    ("unions that are none", {"anyOf": 5, "oneOf": {}, "allOf": "a", "not": 1},
     {"anyOf": [5], "oneOf": [], "allOf": {}, "not": []}),
    ("types that are none", {"type": 5}, {"type": ["any", 5]}),
    ("an enum that is none", {"enum": {"a": 1}}, {"enum": "a"}),
    ("a pattern that is none", {"enum": ["a"]}, {"pattern": "("}),
    ("a dialect that is none", {"$schema": 5, "type": "string"}, {"$schema": 5, "type": "null"}),
    ("half a surrogate pair", {"const": "\ud800"}, {"const": "\udfff"}),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after"), [p[1:] for p in PAIRS], ids=[p[0] for p in PAIRS])
def test_what_nobody_should_send_is_breaking_if_it_differs_and_none_if_not(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    assert grade(before, after) == "breaking"
    for schema in (before, after):
        assert grade(schema, copied(schema)) == "none"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"type": "object", "properties": {"argument_1": TEXT}}, anchored(TEXT)),
        (anchored(TEXT), anchored(NUMBER)),
        *((around_values(30, key, "a"), around_values(30, key, "b"))
          for key in ("contains", "anyOf")),
        (between_values("a"), between_values("b")),
    ],
    ids=["anchors on one side", "anchors", "values within contains", "values within unions",
         "values within branches"],
)  # fmt: skip
def test_what_is_costly_to_compare_is_graded_within_seconds(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    started = process_time()
    assert grade(before, after) == "breaking"
    assert process_time() - started < 10


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([
        "type", "properties", "items", "anyOf", "oneOf", "allOf", "not", "$ref", "$defs", "enum",
        "const", "required", "minimum", "maximum", "minLength", "additionalProperties", "nullable",
        "description", "default", "title", "$schema", "$id", "if", "then", "prefixItems", "x",
        "patternProperties", "pattern", "format", "multipleOf", "contains", "additionalItems",
    ]), inner | st.sampled_from(["#", "#/properties/x", "string", ["null", "object"], True]),
        max_size=4),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(before=st.dictionaries(st.text(max_size=3), JSON) | JSON, after=JSON)
def test_any_json_for_a_schema_has_a_grade(before: Any, after: Any) -> None:
    old, new = ({"type": "object", "properties": {"x": schema}} for schema in (before, after))
    assert grade(old, new) in ("none", "notation", "description", "compatible", "breaking")
    assert grade(old, copied(old)) == "none"
