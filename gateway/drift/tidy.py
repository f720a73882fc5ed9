"""One schema brought to normal form, once those within it are.

Sorts what has no order and leaves out what refuses nothing. Knows no references and no drafts.
"""

from typing import Any, cast

from gateway.drift.bounded import text_of
from gateway.drift.unions import type_of, union
from gateway.drift.words import UNEVALUATED, Schema

_EMPTY: tuple[tuple[str, Any], ...] = (
    ("required", []), ("properties", {}), ("minLength", 0), ("minItems", 0), ("minProperties", 0),
    ("uniqueItems", False), ("additionalProperties", {}), ("items", {}), ("nullable", False),
    ("unevaluatedItems", {}), ("unevaluatedProperties", {}), ("propertyNames", {}),
    ("propertyNames", {"type": "string"}), ("allOf", []),
)  # fmt: skip
_EVALUATING = UNEVALUATED | {"items", "additionalProperties"}
"""Keywords that evaluate whatever they accept, which one around them may ask about."""


def plain(value: Any) -> Any:
    """A value with every whole number as an integer."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, list):
        return [plain(item) for item in cast(list[Any], value)]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in cast(Schema, value).items()}
    return value


def tidy(node: Schema, *, evaluates: bool) -> Schema:
    """One schema whose members are in normal form already.

    `evaluates` keeps keywords that refuse nothing but evaluate everything.
    """
    if "const" in node and "enum" not in node:
        node["enum"] = [node.pop("const")]
    if isinstance(node.get("enum"), list):
        node["enum"] = _possible(_distinct(node["enum"]), node.get("type"))
    required = node.get("required")
    if isinstance(required, list) and all(isinstance(n, str) for n in cast(list[Any], required)):
        node["required"] = sorted(set(cast(list[str], required)))
    _tidy_type(node)
    for key, empty in _EMPTY:
        if evaluates and key in _EVALUATING:
            continue
        if key in node and node[key] == empty and isinstance(node[key], type(empty)):
            del node[key]
    return union(node)


def _tidy_type(node: Schema) -> None:
    types = node.get("type")
    if not isinstance(types, list) or not all(isinstance(t, str) for t in cast(list[Any], types)):
        return
    names = set(cast(list[str], types))
    if "number" in names:
        names.discard("integer")
    node["type"] = sorted(names) if len(names) != 1 else names.pop()


def _possible(values: list[Any], types: Any) -> list[Any]:
    """Those of the values that the schema's own types allow."""
    names = types if isinstance(types, list) else [types]
    if not all(isinstance(name, str) for name in cast(list[Any], names)):
        return values
    allowed = {*cast(list[str], names), *(["integer"] if "number" in names else [])}
    return [value for value in values if type_of(value) in allowed]


def _distinct(values: list[Any]) -> list[Any]:
    """The values without repetition, in the order of their JSON."""
    return [value for _, value in sorted({text_of(value): value for value in values}.items())]
