"""What is graded milder than breaking accepts every value that was accepted before."""

from typing import Any

import jsonschema_rs
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp.types import Tool

from gateway.drift import compare
from gateway.types import Toolset

SCALARS: list[Any] = [None, True, False, -1, 0, 1, 2, 3, 0.5, 2.5, "", "a", "ab", "abc", "1"]
VALUES: list[Any] = [
    *SCALARS, [], [1], ["a"], [1, 1], [1, "a"], ["a", None], {}, {"a": 1}, {"a": "a"}, {"b": 1},
    {"a": None, "b": "ab"}, {"a": [1]}, {"a": {"a": 1}}, {"c": True}, {"a": 2, "c": "a"},
]  # fmt: skip


def kept(**words: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Some of the keywords."""
    return st.fixed_dictionaries({}, optional=words)


def schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    small = st.integers(0, 3)
    types = st.sampled_from(
        ["string", "integer", "number", "boolean", "null", "object", "array",
         ["string", "null"], ["integer", "string"], ["object", "null"]]
    )  # fmt: skip
    scalar = kept(
        type=types, enum=st.lists(st.sampled_from(SCALARS), min_size=1, max_size=3),
        minimum=small, maximum=small, exclusiveMinimum=small, exclusiveMaximum=small,
        multipleOf=st.integers(1, 3), minLength=small, maxLength=small,
        pattern=st.sampled_from(["^a", "b$"]), format=st.just("date"),
        const=st.sampled_from(SCALARS),
    )  # fmt: skip
    # An argument is never removed nor added: that has a grade by the contract, not by proof.
    record = st.builds(
        lambda more, a, b: {**more, "properties": {"a": a, "b": b}},
        kept(type=types,
             required=st.lists(st.sampled_from(["a", "b", "c"]), max_size=2, unique=True),
             additionalProperties=inner, minProperties=small, maxProperties=small,
             propertyNames=inner),
        inner, inner,
    )  # fmt: skip
    array = kept(
        type=types, items=inner, prefixItems=st.lists(inner, min_size=1, max_size=2),
        minItems=small, maxItems=small, uniqueItems=st.booleans(), contains=inner,
        maxContains=small, minContains=small,
    )  # fmt: skip
    some = st.lists(inner, min_size=1, max_size=3)
    union = kept(type=types, anyOf=some, oneOf=some, allOf=some, maxLength=small, maximum=small)
    negative = kept(**{"not": inner, "if": inner, "then": inner, "else": inner, "type": types})
    return st.one_of(scalar, scalar, record, array, union, union, negative)


SCHEMAS = st.recursive(st.booleans() | st.just({"type": "string"}), schemas, max_leaves=6)


def mutated(schema: Any, other: Any) -> Any:
    """One schema with some keywords of another: pairs that are nearly equal."""
    if not isinstance(schema, dict) or not isinstance(other, dict):
        return other
    return {**schema, **{key: other[key] for key in list(other)[:1]}}


def made_of(schema: Any, around: int) -> dict[str, Any]:
    if around == 1:
        schema = {"type": "array", "items": schema}
    return {"type": "object", "properties": {"x": schema}, "required": ["x"]}


@settings(max_examples=600, deadline=None)
@given(first=SCHEMAS, second=SCHEMAS, around=st.integers(0, 1), near=st.booleans())
def test_no_change_that_refuses_a_value_is_graded_milder_than_breaking(
    first: Any, second: Any, around: int, near: bool
) -> None:
    before, after = (
        made_of(first, around),
        made_of(mutated(first, second) if near else second, around),
    )
    tools = [Tool(name="it", input_schema=schema) for schema in (before, after)]
    grade = compare(Toolset("its", (tools[0],)), {"it": tools[1]}).worst
    if grade == "breaking":
        return
    was, now = (
        jsonschema_rs.validator_for(schema, validate_formats=True) for schema in (before, after)
    )
    for value in VALUES:
        call = {"x": [value] if around else value}
        if was.is_valid(call):
            assert now.is_valid(call), f"{grade}: {call} is refused now"
        elif grade in ("none", "notation"):
            assert not now.is_valid(call), f"{grade}: {call} is accepted now"
