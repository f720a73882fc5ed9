"""The normal form of a JSON Schema: what it means, without how it is spelt.

- local `$ref`s are inlined, with the texts beside a reference before those of its target; one
  that comes back to where it stands becomes `$recurse`, counted in levels, so that names of
  definitions never count;
- titles, examples, comments, `$schema`, `$id`, definitions and other notation are left out;
- `const` is an `enum` of one; a type list of one is its type; lists without order are sorted;
  keywords that refuse nothing are left out; 1.0 is 1;
- `nullable` is an `anyOf` with null, as its authors mean it, also beside an `enum`; an `anyOf`
  whose branches have types apart is one schema with a list of types, where that says the same;
- schemas of earlier drafts are brought to 2020-12; a keyword that the schema's own draft does
  not know keeps its place under another name, so that it equals only its like.

A reference that is not a pointer into the schema is never fetched; it equals only the same
reference in a schema whose identifiers are all the same. Reading takes a bounded number of steps
and levels, else it raises `Unbounded`. Imports nothing but the keywords.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import unquote

from gateway.drift.bounded import Unbounded, text_of
from gateway.drift.tidy import plain, tidy
from gateway.drift.unions import union
from gateway.drift.words import (
    BEGAN,
    DEFINITIONS,
    FORMATS,
    LATEST,
    LISTS,
    MAPS,
    NOTATION,
    SINGLE,
    TEXTS,
    Schema,
    dialect,
)  # fmt: skip
from gateway.pointer import unescaped

MAX_NODES = 20_000
"""Schemas within a schema, with references inlined."""
MAX_LEVELS = 64
"""Schemas nested in schemas, with references inlined."""
NEVER: Schema = {"not": {}}
"""The schema `false`."""
_IDENTIFIERS = frozenset({"$id", "$anchor", "$dynamicAnchor", "$recursiveAnchor"})
_DYNAMIC = frozenset({"$dynamicRef", "$recursiveRef"})
_Open = tuple[tuple[str, int, int], ...]
"""The references being inlined: pointer, and how deep in values and in unions each stands."""


def normal(root: Any) -> Schema:
    """The normal form of a whole schema.

    Raises:
        Unbounded: it has too many schemas, or nests them too deep, once references are inlined.
    """
    if not isinstance(root, dict):
        return _boolean(root)
    return _Reader(cast(Schema, root)).read(root, 0, 0, (("#", 0, 0),))


def _boolean(schema: Any) -> Schema:
    if isinstance(schema, bool):
        return {} if schema else dict(NEVER)
    return {"$no_schema": schema}


class _Reader:
    """Reads one schema document; counts the nodes it has read."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._draft = dialect(root) or LATEST
        self._left = MAX_NODES
        names = _IDENTIFIERS | ({"id"} if self._draft == 4 else set[str]())
        self._nested_ids = _has_identifier(list(root.values()), names)
        self._ids = self._nested_ids or _has_identifier(root, names)

    def read(self, schema: Any, deep: int, unions: int, opened: _Open) -> Schema:
        self._left -= 1
        if self._left < 0 or deep + unions > MAX_LEVELS:
            raise Unbounded
        if not isinstance(schema, dict):
            return _boolean(schema)
        node = cast(Schema, schema)
        if isinstance(node.get("$ref"), str):
            return self._referring(node, deep, unions, opened)
        found: Schema = {}
        for key, value in node.items():
            if key in NOTATION or key in DEFINITIONS or key in _IDENTIFIERS:
                continue
            if value == "password" and key == "format":
                continue
            if self._is_alien(key, value):
                found[f"{key}@{self._draft}"] = value
            else:
                found[key] = self._member(key, value, deep, unions, opened)
        self._list_of_items(node, found, deep, unions, opened)
        return tidy(found)

    def _member(self, key: str, value: Any, deep: int, unions: int, opened: _Open) -> Any:
        """The value of one keyword, with the schemas in it read."""
        if key in MAPS and isinstance(value, dict):
            members = cast(Schema, value).items()
            return {name: self.read(item, deep + 1, unions, opened) for name, item in members}
        if key in LISTS and isinstance(value, list):
            return self._listed(key, cast(list[Any], value), deep, unions, opened)
        if key in SINGLE and isinstance(value, dict | bool):
            return self.read(value, deep + 1, unions, opened)
        return [value, self._identity()] if key in _DYNAMIC else plain(value)

    def _listed(
        self, key: str, value: list[Any], deep: int, unions: int, opened: _Open
    ) -> list[Schema]:
        if key == "prefixItems":
            return [self.read(item, deep + 1, unions, opened) for item in value]
        inside = unions + (len(value) > 1)
        return [self.read(item, deep, inside, opened) for item in value]

    def _list_of_items(
        self, node: Schema, found: Schema, deep: int, unions: int, opened: _Open
    ) -> None:
        """`items` and `additionalItems` of the drafts before 2020-12."""
        if self._draft >= 2020:
            return
        rest = node.get("additionalItems")
        found.pop("additionalItems", None)
        items = node.get("items")
        if not isinstance(items, list):
            return
        del found["items"]
        found["prefixItems"] = self._listed(
            "prefixItems", cast(list[Any], items), deep, unions, opened
        )
        if rest is not None:
            found["items"] = self.read(rest, deep + 1, unions, opened)

    def _is_alien(self, key: str, value: Any) -> bool:
        if key == "format" and isinstance(value, str):
            return FORMATS.get(value, 0) > self._draft
        if key == "dependencies":
            return self._draft >= 2019
        if key == "items" and isinstance(value, list):
            return self._draft >= 2020
        if key == "id":
            return True
        return BEGAN.get(key, 0) > self._draft

    def _referring(self, node: Schema, deep: int, unions: int, opened: _Open) -> Schema:
        reference: str = node["$ref"]
        texts = {key: plain(node[key]) for key in TEXTS if key in node}
        others = {
            key: value
            for key, value in node.items()
            if key not in ("$ref", *TEXTS) and key not in NOTATION and key not in DEFINITIONS
        }
        if self._draft <= 7:
            others = {}
        if others == {"nullable": True}:
            inner = self.read({"$ref": reference}, deep, unions + 1, opened)
            return union({"anyOf": [inner, {"type": "null"}], **texts})
        if others:
            both = [{"$ref": reference}, others]
            parts = [self.read(part, deep, unions + 1, opened) for part in both]
            return tidy({"allOf": parts, **texts})
        target = self._target(reference)
        if target is _NOWHERE:
            identity = self._identity() if self._ids or reference.startswith("#") else ""
            return {"$ref": [reference, identity], **texts}
        for pointer, above, around in opened:
            if pointer == reference:
                return {"$recurse": [deep - above, unions - around], **texts}
        inlined = self.read(target, deep, unions, (*opened, (reference, deep, unions)))
        return {**inlined, **texts}

    def _target(self, reference: str) -> Any:
        if self._nested_ids or not (reference == "#" or reference.startswith("#/")):
            return _NOWHERE
        place: Any = self._root
        for part in reference.split("/")[1:]:
            name = unescaped(unquote(part))
            if isinstance(place, dict) and name in place:
                place = cast(Schema, place)[name]
            elif (
                isinstance(place, list)
                and name.isdecimal()
                and int(name) < len(cast(list[Any], place))
            ):
                place = cast(list[Any], place)[int(name)]
            else:
                return _NOWHERE
        return place

    def _identity(self) -> str:
        """What a reference that cannot be followed here may depend on: the whole document."""
        return hashlib.sha256(text_of(self._root).encode()).hexdigest()


_NOWHERE = object()


def _has_identifier(value: Any, names: frozenset[str]) -> bool:
    """Whether an identifier or an anchor stands anywhere in a document of bounded depth."""
    places: list[Any] = [value]
    while places:
        place = places.pop()
        if isinstance(place, list):
            places += cast(list[Any], place)
        elif isinstance(place, dict):
            members = cast(Mapping[str, Any], place)
            if any(isinstance(members.get(key), str | bool) for key in names):
                return True
            places += members.values()
    return False
