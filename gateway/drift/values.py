"""The values that a schema lists, and whether another accepts them, asked of a real validator.

Schemas are in normal form. A validator ignores keywords that it does not know; a schema that holds
one is not proven to accept anything. Knows single schemas, not drift.
"""

from typing import Any, cast

import jsonschema_rs

from gateway.compiling import compiled_linear
from gateway.drift.bounded import text_of
from gateway.drift.unions import constraints, types_of
from gateway.drift.words import LISTS, MAPS, OF_TYPE, SINGLE, TEXTS, UNEVALUATED, Schema, inner

ABSENT = object()
"""Stands for a keyword that a schema has not."""
_SMALL: dict[str, list[Any]] = {"null": [None], "boolean": [False, True]}
KNOWN = frozenset({
    *OF_TYPE, "type", "enum", "format", "allOf", "anyOf", "oneOf", "not", "if", "then", "else",
    *UNEVALUATED, *TEXTS,
})  # fmt: skip


def accepts(schema: Schema, values: list[Any]) -> bool:
    """Whether a schema in normal form is proven to accept every one of these values."""
    own = constraints(schema)
    if own.keys() <= {"enum", "type"} and isinstance(own.get("enum"), list):
        known = {text_of(value) for value in cast(list[Any], own["enum"])}
        return all(text_of(value) in known for value in values)
    if not _is_whole(own):
        return False
    try:
        validator = compiled_linear(own)
        return all(validator.is_valid(value) for value in values)
    except (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError):
        return False


def listed(schema: Schema) -> list[Any] | None:
    """Every value that the schema's own `enum` or types list; None if they are not few."""
    values = schema.get("enum")
    if isinstance(values, list):
        return cast(list[Any], values)
    types = types_of(schema)
    if types <= _SMALL.keys():
        return [value for name in sorted(types) for value in _SMALL[name]]
    return None


def bare(schema: Any) -> Any:
    """A schema in normal form without the texts that it and its members hold."""
    if not isinstance(schema, dict):
        return schema
    found: Schema = {}
    for key, value in cast(Schema, schema).items():
        if key in TEXTS:
            continue
        if key in MAPS and isinstance(value, dict):
            members = cast(Schema, value)
            found[key] = {name: bare(member) for name, member in members.items()}
        elif key in LISTS and isinstance(value, list):
            found[key] = [bare(item) for item in cast(list[Any], value)]
        else:
            found[key] = bare(value) if key in SINGLE else value
    return found


def _is_whole(schema: Any) -> bool:
    """Whether a validator knows every keyword: no marks of the normal form, nothing unknown."""
    places: list[Any] = [schema]
    while places:
        place = places.pop()
        if not isinstance(place, dict):
            return False
        node = cast(Schema, place)
        if not node.keys() <= KNOWN:
            return False
        places += inner(node)
    return True
