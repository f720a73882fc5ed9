"""What may be sent under a name: the members that a schema lists for one object, wherever in it.

By the contract a name that is not listed is not sent. But branches, conditions and parts of a
schema are about the same object, so that what one of them lists is sent beside the others too.
Schemas are in normal form. Knows single schemas, not drift.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Any, cast

from gateway.drift.normal import NEVER
from gateway.drift.words import Schema, inner
from gateway.references import IN_PLACE

_OPEN = frozenset({"patternProperties", "$recurse", "$ref"})
"""Keywords behind which any name may be listed."""


class Members:
    """The members that schemas list which all hold for one object."""

    def __init__(self, *schemas: Schema) -> None:
        self._schemas = schemas

    def may_hold(self, name: str) -> bool:
        """Whether a member of this name may be sent: it is listed, or any is."""
        return self._is_open or name in self._listed

    def of(self, name: str) -> "Members":
        """The members of what is listed under a name."""
        return Members(*self._listed.get(name, ()))

    @cached_property
    def _parts(self) -> list[Schema]:
        return [part for schema in self._schemas for part in _parts(schema)]

    @cached_property
    def _is_open(self) -> bool:
        return any(
            part.keys() & _OPEN or part.get("additionalProperties", NEVER) not in (NEVER, {})
            for part in self._parts
        )

    @cached_property
    def _listed(self) -> dict[str, list[Schema]]:
        found: dict[str, list[Schema]] = {}
        for part in self._parts:
            listed = part.get("properties")
            for name, schema in cast(Schema, listed if isinstance(listed, dict) else {}).items():
                found.setdefault(name, []).append(schema)
        return found


def _parts(schema: Schema) -> Iterator[Schema]:
    places: list[Any] = [schema]
    while places:
        place = places.pop()
        if isinstance(place, dict):
            part = cast(Schema, place)
            yield part
            places += inner({key: part[key] for key in IN_PLACE if key in part})
