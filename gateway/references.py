"""References within a JSON Schema: which schemas a `$ref` may mean.

Where an identifier or an anchor leaves open which schema is meant, all that may be meant count;
what lies outside the schema is never meant. Reads the older drafts' keywords as well as 2020-12's.
Imports nothing of ours but pointers.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Any, cast
from urllib.parse import unquote

from gateway.pointer import unescaped

Schema = dict[str, Any]

REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
IN_PLACE = (
    "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "dependencies",
)  # fmt: skip
"""Keywords whose schemas are about the very value that the schema around them is about."""
VALUES = frozenset({"enum", "const", "default", "examples"})
"""Keywords that hold values, and no schemas."""
_IDENTIFIERS = frozenset({"$id", "id", "$anchor", "$dynamicAnchor", "$recursiveAnchor"})
_MAPS = frozenset({
    "properties", "patternProperties", "dependentSchemas", "dependencies", "$defs", "definitions",
})  # fmt: skip


class References:
    """The references of one schema document."""

    def __init__(self, root: Schema) -> None:
        self._root = root

    def targets(self, schema: Schema) -> Iterator[Schema]:
        """Every schema that the references of one schema within the document may mean."""
        for key in REFERENCES:
            reference = schema.get(key)
            if not isinstance(reference, str):
                continue
            fragment = unquote(reference.partition("#")[2])
            for resource in self._named:
                if not fragment.startswith("/"):
                    # Without identifiers, all that is left to mean is the root.
                    yield resource
                elif (place := schema_at(resource, fragment)) is not None:
                    yield place

    @cached_property
    def _named(self) -> list[Schema]:
        """The schemas that a reference can start from: the root, and all with an identifier."""
        nodes = nodes_of(self._root)
        return [self._root, *(n for n in nodes if n is not self._root and _IDENTIFIERS & n.keys())]


def schemas_in(key: str, value: Any) -> Iterator[Schema]:
    """The schemas that a keyword holds."""
    if key in _MAPS and isinstance(value, dict):
        value = list(cast(Schema, value).values())
    held = cast(list[Any], value) if isinstance(value, list) else [value]
    yield from (cast(Schema, item) for item in held if isinstance(item, dict))


def nodes_of(root: Schema) -> Iterator[Schema]:
    """Every schema of a document."""
    places = [root]
    while places:
        node = places.pop()
        yield node
        for key, value in node.items():
            if key not in VALUES:
                places += schemas_in(key, value)


def schema_at(schema: Schema, pointer: str) -> Schema | None:
    """The schema that a JSON Pointer within another leads to; None if none stands there."""
    place: Any = schema
    for part in pointer.split("/")[1:]:
        if isinstance(place, dict):
            place = cast(Schema, place).get(unescaped(part))
        elif isinstance(place, list) and part.isdecimal():
            items = cast(list[Any], place)
            place = items[int(part)] if int(part) < len(items) else None
    return cast(Schema, place) if isinstance(place, dict) else None
