"""A schema taken apart: the cases of a union, and the texts that a model reads in it.

Schemas are in normal form. Knows single schemas, not drift.
"""

from collections.abc import Iterator
from typing import Any, cast

from gateway.drift.bounded import same, text_of
from gateway.drift.unions import constraints, recurs
from gateway.drift.values import ABSENT
from gateway.drift.words import LISTS, MAPS, SINGLE, TEXTS, Schema, inner, squeezed

_INVERTING = ("not", "if", "oneOf")


def cases(schema: Schema) -> tuple[list[Schema], Schema]:
    """The branches of a schema, and what holds beside them."""
    if not is_union(schema):
        return [schema], {}
    rest = {key: value for key, value in constraints(schema).items() if key != "anyOf"}
    return cast(list[Schema], schema["anyOf"]), rest


def is_union(schema: Schema) -> bool:
    return isinstance(schema.get("anyOf"), list) and bool(schema["anyOf"])


def merged(branches: list[Schema], rest: Schema) -> Iterator[Schema]:
    """The cases of a schema, one type each; where merging is not exact, a wider case."""
    for branch in branches:
        own = constraints(branch)
        if recurs(own):  # What leads back to the branch means the branch as it stands.
            yield own
            continue
        if rest and not own.keys() & rest.keys() and _is_flat(own) and _is_flat(rest):
            own = {**rest, **own}
        types = own.get("type")
        if isinstance(types, list) and "enum" not in own:
            yield from ({**own, "type": name} for name in cast(list[str], types))
        else:
            yield own


def _is_flat(schema: Schema) -> bool:
    """Whether no keyword leans on another, so that those of two schemas can stand together."""
    return not schema.keys() & (LISTS | MAPS | SINGLE | {"minContains", "maxContains"})


def holds_unevaluated(schema: Schema) -> bool:
    return "unevaluatedProperties" in schema or "unevaluatedItems" in schema


def inverts(schema: Schema) -> bool:
    """Whether a reference leads back through a keyword that turns wider into narrower.

    There it takes more than a wider schema behind the reference for every value to be accepted
    still: what the reference leads back to must accept the same values as before.
    """
    places: list[Any] = [schema]
    while places:
        node = places.pop()
        if not isinstance(node, dict):
            continue
        turning = {key: node[key] for key in _INVERTING if key in node}
        if holds_unevaluated(node):
            turning = node
        elif "maxContains" in node:
            turning["contains"] = node.get("contains")
        if recurs(turning):
            return True
        places += inner(node)
    return False


def same_text(key: str, was: Any, now: Any) -> bool:
    if key == "default" or not all(v is ABSENT or isinstance(v, str) for v in (was, now)):
        return was is now or (ABSENT not in (was, now) and same(was, now))
    old, new = (None if v is ABSENT else squeezed(v) for v in (was, now))
    return old == new


def texts(value: Any) -> list[str]:
    """Every text within a keyword's value that a model reads, in a fixed order."""
    found: list[str] = []
    places: list[Any] = list(cast(list[Any], value)) if isinstance(value, list) else [value]
    while places:
        schema = places.pop()
        if not isinstance(schema, dict):
            continue
        node = cast(Schema, schema)
        found += [text_of([key, squeezed(node[key])]) for key in TEXTS if key in node]
        places += inner(node)
    return sorted(set(found))
