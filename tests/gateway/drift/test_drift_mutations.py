"""Changes generated on real tools get the grade they were made for, whatever the spelling."""

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp.types import Tool

from gateway.drift import compare
from gateway.drift.changes import Drift
from gateway.types import Toolset
from tests.adapters import support_toolset
from tests.bench.revisions import kept
from tests.gateway.drift.mutations import MEANING, SPELLING, Mutation, respelt

EVERYTHING: dict[str, Any] = {
    "type": "object",
    "properties": {
        "mode": {"const": "fast", "description": "How fast it goes."},
        "note": {"type": ["string", "null"], "minLength": 2, "description": "A short note."},
        "size": {"type": ["integer", "null"], "minimum": 1},
        "parent": {"$ref": "#/$defs/Node"},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 9}, "maxItems": 4},
        "pages": {"type": "array", "items": {"type": "integer", "minimum": 0}},
        "to": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "zip": {"type": "string", "minLength": 4}},
            "required": ["city"],
        },
        "ratio": {"type": "number", "maximum": 1, "minimum": 0, "default": 0.5},
        "amount": {"type": "number"},
    },
    "required": ["mode", "to"],
    "$defs": {
        "Node": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "next": {"$ref": "#/$defs/Node"}},
        }
    },
}
"""What the order desk's tools lack: references that lead back, null, constants, nested objects."""
SCHEMAS = [
    EVERYTHING,
    *(tool.input_schema for own in (support_toolset(), *kept().values()) for tool in own.tools),
]
"""Of the order desk and of real servers, which were published by others."""


def drift(before: dict[str, Any], after: dict[str, Any]) -> Drift:
    tools = [Tool(name="it", description="It does.", input_schema=s) for s in (before, after)]
    return compare(Toolset("its", (tools[0],)), {"it": tools[1]})


def told(found: Drift) -> str:
    return "\n".join(str(change) for tool in found.tools for change in tool.changes)


def fitting(mutation: Mutation, random: Random) -> tuple[dict[str, Any], dict[str, Any]]:
    """A real schema that the mutation fits, and what it makes of it."""
    order = random.sample(SCHEMAS, len(SCHEMAS))
    return next((s, new) for s in order if (new := mutation.apply(s, random)) is not None)


CHOICES = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("mutation", SPELLING, ids=lambda m: m.name)
@settings(max_examples=10, deadline=None)
@given(seed=CHOICES)
def test_another_spelling_is_notation_both_ways(mutation: Mutation, seed: int) -> None:
    before, after = fitting(mutation, Random(seed))
    for found in (drift(before, after), drift(after, before)):
        assert found.worst == "notation", told(found)


@pytest.mark.parametrize("mutation", MEANING, ids=lambda m: m.name)
@settings(max_examples=10, deadline=None)
@given(seed=CHOICES)
def test_a_change_of_meaning_has_its_grade_and_its_mirror_image(
    mutation: Mutation, seed: int
) -> None:
    before, after = fitting(mutation, Random(seed))
    assert drift(before, after).worst == mutation.grade, told(drift(before, after))
    assert drift(after, before).worst == mutation.back, told(drift(after, before))


@settings(max_examples=150, deadline=None)
@given(seed=CHOICES)
def test_no_spelling_hides_or_worsens_a_change_of_meaning(seed: int) -> None:
    random = Random(seed)
    mutation = random.choice(MEANING)
    before, after = fitting(mutation, random)
    old, new = (respelt(schema, random, random.randint(0, 3)) for schema in (before, after))
    assert drift(old, new).worst == mutation.grade, told(drift(old, new))
    assert drift(new, old).worst == mutation.back, told(drift(new, old))


@settings(max_examples=150, deadline=None)
@given(seed=CHOICES)
def test_spellings_alone_are_never_more_than_notation(seed: int) -> None:
    random = Random(seed)
    schema = random.choice(SCHEMAS)
    old, new = (respelt(schema, random, random.randint(0, 6)) for _ in range(2))
    found = drift(old, new)
    assert found.worst in ("none", "notation"), told(found)


@settings(max_examples=60, deadline=None)
@given(seed=CHOICES)
def test_no_other_change_hides_a_breaking_one(seed: int) -> None:
    random = Random(seed)
    others = [m for m in MEANING if "argument" not in m.name]
    before, between = fitting(random.choice(others), random)
    breaking = [m for m in MEANING if m.grade == "breaking"]
    random.shuffle(breaking)
    after = next(new for m in breaking if (new := m.apply(between, random)) is not None)
    assert drift(before, after).worst == "breaking", told(drift(before, after))


@pytest.mark.parametrize("schema", SCHEMAS, ids=range(len(SCHEMAS)))
def test_a_schema_has_not_drifted_from_itself(schema: dict[str, Any]) -> None:
    assert drift(schema, schema).tools == ()
    assert drift(schema, respelt(schema, Random(1), 0)).tools == ()
