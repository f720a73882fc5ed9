"""Where two schemas as sent are spelt differently, whatever that means.

Every difference found here is `notation`, but for a description or default that stands in the
same place in both and says something that the other says nowhere: a model may read it even where,
beside a `$ref`, it has no say. Knows schemas as sent; the meaning is compared elsewhere.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

from gateway.drift.bounded import same, text_of
from gateway.drift.changes import Change
from gateway.drift.words import (
    DEFINITIONS,
    LISTS,
    MAPS,
    NOTATION,
    SINGLE,
    TEXTS,
    Schema,
    squeezed,
)  # fmt: skip
from gateway.pointer import at

_NAMED = MAPS | DEFINITIONS
_ABSENT = object()


def spelling(
    before: Any, after: Any, pointer: str, *, only_annotations: bool = False
) -> list[Change]:
    """Every difference in spelling; `only_annotations` leaves out those of other keywords."""
    found = list(_schema(before, after, pointer, only_annotations))
    told = any(change.grade == "description" for change in found)
    if told and _texts(before) == _texts(after):
        return [replace(change, grade="notation") for change in found]
    return found


def _texts(schema: Any) -> set[str]:
    """Every description and default anywhere in a schema."""
    found: set[str] = set()
    places: list[Any] = [schema]
    while places:
        place = places.pop()
        if isinstance(place, list):
            places += cast(list[Any], place)
        elif isinstance(place, dict):
            node = cast(Schema, place)
            found |= {text_of([key, squeezed(node[key])]) for key in TEXTS if key in node}
            places += node.values()
    return found


def _schema(before: Any, after: Any, pointer: str, only: bool) -> Iterator[Change]:
    if same(before, after):
        return
    old, new = _node(before), _node(after)
    if old is None or new is None or ("$ref" in old) != ("$ref" in new):
        if not only:
            yield Change(pointer, "notation", before, after)
        return
    for key in [*old, *(key for key in new if key not in old)]:
        was, now, where = old.get(key, _ABSENT), new.get(key, _ABSENT), at(pointer, key)
        both = _ABSENT not in (was, now)
        if both and same(was, now):
            continue
        if key in TEXTS and both:
            told = squeezed(was) != squeezed(now)
            yield Change(where, "description" if told else "notation", was, now)
        elif both and key not in NOTATION:
            yield from _inside(key, was, now, where, only)
        elif key in NOTATION or not only:
            yield Change(where, "notation", _shown(was), _shown(now))


def _inside(key: str, was: Any, now: Any, pointer: str, only: bool) -> Iterator[Change]:
    if key in _NAMED and isinstance(was, dict) and isinstance(now, dict):
        old, new = cast(Schema, was), cast(Schema, now)
        for name in [*old, *(name for name in new if name not in old)]:
            if name in old and name in new:
                yield from _schema(old[name], new[name], at(pointer, name), only)
            elif not only:
                where = at(pointer, name)
                yield Change(where, "notation", old.get(name), new.get(name))
    elif key in LISTS and isinstance(was, list) and isinstance(now, list):
        yield from _listed(cast(list[Any], was), cast(list[Any], now), pointer, only)
    elif key in SINGLE:
        yield from _schema(was, now, pointer, only)
    elif not only:
        yield Change(pointer, "notation", was, now)


def _listed(was: list[Any], now: list[Any], pointer: str, only: bool) -> Iterator[Change]:
    if len(was) != len(now):
        if not only:
            yield Change(pointer, "notation", was, now)
        return
    for i, (one, other) in enumerate(zip(was, now, strict=True)):
        yield from _schema(one, other, at(pointer, i), only)


def _node(schema: Any) -> Schema | None:
    return cast(Schema, schema) if isinstance(schema, dict) else None


def _shown(value: Any) -> Any:
    return None if value is _ABSENT else value
