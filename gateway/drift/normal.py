"""The normal form of a JSON Schema: what it means, without how it is spelt.

- local `$ref`s are inlined, with the texts beside a reference before those of its target; one
  that comes back to where it stands becomes `$recurse`, counted in levels, so that names of
  definitions never count;
- titles, examples, comments, `$schema`, `$id`, definitions and other notation are left out;
- `const` is an `enum` of one; a type list of one is its type; lists without order are sorted;
  keywords that refuse nothing are left out, unless what they evaluate is asked for; 1.0 is 1;
- keywords beside a `$ref` stand in an `allOf` with it, but for those that look at all of it;
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
from functools import cached_property
from typing import Any, NamedTuple, Self, cast
from urllib.parse import unquote

from gateway.drift.bounded import Unbounded, text_of
from gateway.drift.tidy import plain, tidy
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
    UNEVALUATED,
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
_SILENT = NOTATION | DEFINITIONS | _IDENTIFIERS | {*TEXTS, "nullable"}
_AROUND = UNEVALUATED | {"nullable"}
"""Keywords that mean the whole of a schema, what a reference beside them refers to included."""


class _Place(NamedTuple):
    """Where a schema stands: how deep in values and in unions, and the references being inlined."""

    deep: int = 0
    unions: int = 0
    opened: tuple[tuple[str, int, int], ...] = (("#", 0, 0),)

    def below(self) -> Self:
        """The place of a schema for a value within the value."""
        return self._replace(deep=self.deep + 1)

    def branch(self) -> Self:
        """The place of one of several schemas for the same value."""
        return self._replace(unions=self.unions + 1)

    def inlining(self, reference: str) -> Self:
        """The same place, from where the reference is inlined."""
        return self._replace(opened=(*self.opened, (reference, self.deep, self.unions)))


def normal(root: Any) -> Schema:
    """The normal form of a whole schema.

    Raises:
        Unbounded: it has too many schemas, or nests them too deep, once references are inlined.
    """
    if not isinstance(root, dict):
        return _boolean(root)
    return _Reader(cast(Schema, root)).read(root, _Place())


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
        self._evaluates = '"unevaluated' in text_of(root)
        names = _IDENTIFIERS | ({"id"} if self._draft == 4 else set[str]())
        self._nested_ids = _has_identifier(list(root.values()), names)
        self._ids = self._nested_ids or _has_identifier(root, names)

    def read(self, schema: Any, place: _Place) -> Schema:
        self._left -= 1
        if self._left < 0 or place.deep + place.unions > MAX_LEVELS:
            raise Unbounded
        if not isinstance(schema, dict):
            return _boolean(schema)
        node = cast(Schema, schema)
        if isinstance(node.get("$ref"), str):
            return self._referring(node, place)
        if node.get("nullable") is True:
            place = place.branch()
        below, branch = place.below(), place if _is_wrapper(node) else place.branch()
        found: Schema = {}
        for key, value in node.items():
            if key in NOTATION or key in DEFINITIONS or key in _IDENTIFIERS:
                continue
            if value == "password" and key == "format":
                continue
            if self._is_alien(key, value):
                found[f"{key}@{self._draft}"] = value
            else:
                found[key] = self._member(key, value, below, branch)
        self._list_of_items(node, found, below)
        return tidy(found, evaluates=self._evaluates)

    def _member(self, key: str, value: Any, below: _Place, branch: _Place) -> Any:
        """The value of one keyword, with the schemas in it read."""
        if key in MAPS and isinstance(value, dict):
            members = cast(Schema, value).items()
            return {name: self.read(item, below) for name, item in members}
        if key in LISTS and isinstance(value, list):
            place = below if key == "prefixItems" else branch
            return [self.read(item, place) for item in cast(list[Any], value)]
        if key in SINGLE and isinstance(value, dict | bool):
            return self.read(value, below)
        return [value, self._identity] if key in _DYNAMIC else plain(value)

    def _list_of_items(self, node: Schema, found: Schema, below: _Place) -> None:
        """`items` and `additionalItems` of the drafts before 2020-12."""
        if self._draft >= 2020:
            return
        rest = node.get("additionalItems")
        found.pop("additionalItems", None)
        items = node.get("items")
        if not isinstance(items, list):
            return
        del found["items"]
        found["prefixItems"] = [self.read(item, below) for item in cast(list[Any], items)]
        if rest is not None:
            found["items"] = self.read(rest, below)

    def _is_alien(self, key: str, value: Any) -> bool:
        if key == "format" and isinstance(value, str):
            return FORMATS.get(value, 0) > self._draft
        if key == "items" and isinstance(value, list):
            return self._draft >= 2020
        if key == "id":
            return True
        return BEGAN.get(key, 0) > self._draft

    def _referring(self, node: Schema, place: _Place) -> Schema:
        reference: str = node["$ref"]
        texts = {key: plain(node[key]) for key in TEXTS if key in node}
        others = {
            key: value
            for key, value in node.items()
            if key not in ("$ref", *TEXTS) and key not in NOTATION and key not in DEFINITIONS
        }
        if others and self._draft > 7:
            around = {key: others.pop(key) for key in sorted(_AROUND & others.keys())}
            parts = [{"$ref": reference}, *([others] if others else [])]
            return self.read({"allOf": parts, **around, **texts}, place)
        target = self._target(reference)
        if target is _NOWHERE:
            identity = self._identity if self._ids or reference.startswith("#") else ""
            return {"$ref": [reference, identity], **texts}
        for pointer, deep, unions in place.opened:
            if pointer == reference:
                return {"$recurse": [place.deep - deep, place.unions - unions], **texts}
        return {**self.read(target, place.inlining(reference)), **texts}

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

    @cached_property
    def _identity(self) -> str:
        """What a reference that cannot be followed here may depend on: the whole document."""
        return hashlib.sha256(text_of(self._root).encode()).hexdigest()


_NOWHERE = object()


def _is_wrapper(node: Schema) -> bool:
    """Whether a schema says no more than the only schema of its list, but for texts."""
    said = [value for key, value in node.items() if key not in _SILENT]
    return len(said) == 1 and isinstance(said[0], list) and len(cast(list[Any], said[0])) == 1


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
