"""Unions in normal form: `nullable`, `anyOf`, `oneOf` and `allOf` brought to the simplest equal.

A step is taken only where the result refuses and accepts exactly the same values and loses no
description. A union that leads back is left as it stands: the reference counts its levels. Works on
one schema whose members are in normal form; imports only the keywords.
"""

from typing import Any, cast

from gateway.drift.bounded import same, text_of
from gateway.drift.words import ALL_TYPES, OF_TYPE, TEXTS, Schema

_NULL: Schema = {"type": "null"}
_OF_NULL, _OF_TEXT, _OF_OBJECT = (frozenset({name}) for name in ("null", "string", "object"))


def union(node: Schema) -> Schema:
    """The same schema with its unions in the simplest form."""
    if "oneOf" in node and "anyOf" not in node and _are_apart(node["oneOf"]):
        node["anyOf"] = node.pop("oneOf")
    if node.get("nullable") is True:
        node = _nullable(node)
    if isinstance(node.get("allOf"), list) and len(node["allOf"]) == 1:
        node = _hoisted(node, "allOf", node["allOf"][0])
    if not isinstance(node.get("anyOf"), list) or not node["anyOf"]:
        return node
    leads_back = recurs(*node["anyOf"])
    branches = node["anyOf"] if leads_back else _flat(node["anyOf"])
    if len(branches) == 1:
        return _hoisted(node, "anyOf", branches[0])
    is_mixed = leads_back or constraints(node).keys() - {"anyOf"}
    merged = None if is_mixed else _merged(branches)
    node = {**node, "anyOf": branches}
    return node if merged is None else _hoisted(node, "anyOf", merged)


def constraints(node: Schema) -> Schema:
    """A schema without its own texts."""
    return {key: value for key, value in node.items() if key not in TEXTS}


def recurs(*schemas: Schema) -> bool:
    """Whether a reference leads back, in which case steps must be taken on both sides alike."""
    return any('"$recurse"' in text_of(schema) for schema in schemas)


def types_of(node: Schema) -> frozenset[str]:
    """The types that a value of this schema can have; an integer among numbers is not told apart.

    `integer` stands in the result only where no other number is possible.
    """
    values = node.get("enum")
    if isinstance(values, list):
        found = frozenset(type_of(value) for value in cast(list[Any], values))
        return found - {"integer"} if "number" in found else found
    types = node.get("type")
    if isinstance(types, str):
        return frozenset({types})
    if isinstance(types, list) and all(isinstance(t, str) for t in cast(list[Any], types)):
        return frozenset(cast(list[str], types))
    branches = node.get("anyOf")
    if isinstance(branches, list) and branches:
        return frozenset[str]().union(*(types_of(b) for b in cast(list[Schema], branches)))
    return ALL_TYPES


def type_of(value: Any) -> str:
    """The JSON Schema type of a value, the narrowest one."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return "integer"
    if isinstance(value, float):
        return "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def _nullable(node: Schema) -> Schema:
    texts = {key: node[key] for key in TEXTS if key in node}
    rest = union({k: v for k, v in node.items() if k not in TEXTS and k != "nullable"})
    types = types_of(rest)
    if not rest or ("null" in types and _is_plain(rest, types) and not recurs(rest)):
        return union({**texts, "allOf": [rest]})
    return union({**texts, "anyOf": [rest, dict(_NULL)]})


def _hoisted(node: Schema, key: str, branch: Schema) -> Schema:
    """The only branch in its union's place, if nothing is said twice."""
    rest = {name: value for name, value in node.items() if name != key}
    if constraints(rest) and constraints(branch):
        return {**rest, key: [branch]}
    if any(name in rest and not same(rest[name], branch[name]) for name in TEXTS if name in branch):
        return {**rest, key: [branch]}
    return {**branch, **rest}


def _flat(branches: list[Schema]) -> list[Schema]:
    """Branches without unions among them and without repetition."""
    found: dict[str, Schema] = {}
    for branch in branches:
        nested = branch["anyOf"] if branch.keys() == {"anyOf"} else None
        inner = cast(list[Schema], nested) if isinstance(nested, list) else [branch]
        for item in inner:
            found.setdefault(text_of(item), item)
    return list(found.values())


def _merged(branches: list[Schema]) -> Schema | None:
    """One schema that says the same as several whose types are apart, if one does."""
    merged: Schema = {}
    types: set[str] = set()
    values: list[Any] = []
    for branch in branches:
        own = types_of(branch) if "type" in branch or "enum" in branch else frozenset[str]()
        if not own or not _is_plain(branch, own) or types & own or _clash(types | own):
            return None
        if any(key in merged for key in TEXTS if key in branch):
            return None
        types |= own
        listed = branch.get("enum", [None] if own == _OF_NULL else None)
        values += listed or []
        merged |= {k: v for k, v in branch.items() if k not in ("type", "enum")}
        if listed is None:
            merged["$unlisted"] = True
    unlisted = merged.pop("$unlisted", False)
    if any("enum" in branch for branch in branches):
        if unlisted:
            return None
        merged["enum"] = sorted(values, key=text_of)
    return {**merged, "type": sorted(types) if len(types) > 1 else types.pop()}


def _is_plain(branch: Schema, types: frozenset[str]) -> bool:
    """Whether a branch constrains only its own types."""
    known = {t.replace("integer", "number") for t in types}
    return all(
        key in ("type", "enum", *TEXTS)
        or OF_TYPE.get(key) in known
        or (key == "format" and types == _OF_TEXT)
        for key in branch
    )


def _clash(types: set[str]) -> bool:
    return {"integer", "number"} <= types


def _are_apart(branches: Any) -> bool:
    """Whether no value can satisfy two of these schemas, so that `oneOf` is `anyOf`."""
    if not isinstance(branches, list) or not 0 < len(cast(list[Any], branches)) <= 64:
        return False
    items = cast(list[Schema], branches)
    return all(_two_apart(one, other) for i, one in enumerate(items) for other in items[i + 1 :])


def _two_apart(one: Schema, other: Schema) -> bool:
    first, second = types_of(one), types_of(other)
    if not first & second and not _clash(set(first | second)):
        return True
    if _values_apart(one, other):
        return True
    if not first == second == _OF_OBJECT:
        return False
    both = _required(one) & _required(other)
    mine, yours = one.get("properties", {}), other.get("properties", {})
    return any(
        name in mine and name in yours and _values_apart(mine[name], yours[name]) for name in both
    )


def _values_apart(one: Schema, other: Schema) -> bool:
    first, second = one.get("enum"), other.get("enum")
    if not isinstance(first, list) or not isinstance(second, list):
        return False
    mine = {text_of(value) for value in cast(list[Any], first)}
    return mine.isdisjoint(text_of(value) for value in cast(list[Any], second))


def _required(node: Schema) -> set[str]:
    names = node.get("required")
    listed = cast(list[Any], names) if isinstance(names, list) else []
    return {name for name in listed if isinstance(name, str)}
