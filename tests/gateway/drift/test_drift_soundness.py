"""What is graded milder than breaking accepts every value that was accepted before."""

from collections.abc import Callable
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from mcp.types import Tool

from gateway.drift import compare
from gateway.drift.words import LISTS, SINGLE
from gateway.types import Toolset
from gateway.validate import SchemaError, ToolValidator

SCALARS: list[Any] = [None, True, False, -1, 0, 1, 2, 3, 0.5, 2.5, "", "a", "ab", "abc", "1"]
HOLDERS = LISTS | SINGLE | {"properties"}
VALUES: list[Any] = [
    *SCALARS, [], [1], ["a"], [1, 1], [1, "a"], ["a", None], {}, {"a": 1}, {"a": "a"}, {"b": 1},
    {"a": None, "b": "ab"}, {"a": [1]}, {"a": {"a": 1}}, {"c": True}, {"a": 2, "c": "a"},
    [None], [[None]], [{}], {"a": None}, {"a": {"a": None}}, {"a": []}, {"a": 3, "b": {"b": 3}},
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
             propertyNames=inner, unevaluatedProperties=inner),
        inner, inner,
    )  # fmt: skip
    # Within a record each branch may list some of its arguments, and more of them later.
    branches = st.lists(kept(properties=kept(a=inner, b=inner)), min_size=1, max_size=2)
    branched = st.builds(
        lambda one, key, some: {**one, key: some},
        record, st.sampled_from(["anyOf", "oneOf", "allOf"]), branches,
    )  # fmt: skip
    array = kept(
        type=types, items=inner, prefixItems=st.lists(inner, min_size=1, max_size=2),
        minItems=small, maxItems=small, uniqueItems=st.booleans(), contains=inner,
        maxContains=small, minContains=small, unevaluatedItems=inner,
    )  # fmt: skip
    some = st.lists(inner, min_size=1, max_size=3)
    union = kept(type=types, anyOf=some, oneOf=some, allOf=some, maxLength=small, maximum=small)
    negative = kept(**{"not": inner, "if": inner, "then": inner, "else": inner, "type": types})
    return st.one_of(scalar, scalar, record, branched, array, union, union, negative)


LEAVES = st.booleans() | st.just({"type": "string"})
BACK = st.sampled_from([{"$ref": "#/$defs/Back"},
                        {"anyOf": [{"$ref": "#/$defs/Back"}, {"type": "null"}]}])  # fmt: skip
SCHEMAS = st.recursive(LEAVES | BACK, schemas, max_leaves=6)


Changing = Callable[[Any, Any, Random], Any]


def replaced(schema: Any, other: Any, random: Random) -> Any:
    return other


def unchanged(schema: Any, other: Any, random: Random) -> Any:
    return schema


def mutated(schema: Any, other: Any, random: Random) -> Any:
    """One schema with a keyword of another, anywhere in it: pairs that are nearly equal."""
    if not isinstance(schema, dict) or not isinstance(other, dict):
        return other
    inner = [key for key, value in schema.items() if key in HOLDERS and value]
    if not inner or random.random() < 0.3:
        return {**schema, **{key: other[key] for key in list(other)[:1]}}
    key = random.choice(inner)
    value = schema[key]
    if isinstance(value, list):
        i = random.randrange(len(value))
        changed: Any = [*value[:i], mutated(value[i], other, random), *value[i + 1 :]]
    elif key == "properties":
        name = random.choice(sorted(value))
        changed = {**value, name: mutated(value[name], other, random)}
    else:
        changed = mutated(value, other, random)
    return {**schema, key: changed}


def made_of(schema: Any, back: Any, around: int) -> dict[str, Any]:
    """One argument; `back` is what references mean, within itself too."""
    if around == 1:
        schema = {"type": "array", "items": schema}
    root = {"type": "object", "properties": {"x": schema}, "required": ["x"]}
    return {**root, "$defs": {"Back": back}}


@settings(max_examples=600, deadline=None)
@given(
    first=st.tuples(BACK | SCHEMAS, SCHEMAS), second=st.tuples(SCHEMAS, SCHEMAS),
    around=st.integers(0, 1),
    change=st.sampled_from([(replaced, mutated), (mutated, unchanged), (unchanged, mutated)]),
    seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_no_change_that_refuses_a_value_is_graded_milder_than_breaking(
    first: tuple[Any, Any],
    second: tuple[Any, Any],
    around: int,
    change: tuple[Changing, Changing],
    seed: int,
) -> None:
    random = Random(seed)
    then = [new(*pair, random) for new, *pair in zip(change, first, second, strict=True)]
    tools = [Tool(name="it", input_schema=made_of(*s, around)) for s in (first, then)]
    grade = compare(Toolset("its", (tools[0],)), {"it": tools[1]}).worst
    if grade == "breaking":
        return
    try:
        was, now = map(ToolValidator, tools)
    except SchemaError:  # A reference that leads back to where it stands has no meaning.
        return
    for value in VALUES:
        call = {"x": [value] if around else value}
        if not was.errors(call):
            assert not now.errors(call), f"{grade}: {call} is refused now"
        elif grade in ("none", "notation"):
            assert now.errors(call), f"{grade}: {call} is accepted now"
