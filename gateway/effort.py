"""How much work checking a value against a schema can be, where references make it grow.

A schema that refers to itself twice at one place (`anyOf` of two `{"$ref": "#"}`) is checked in
twice the steps at each level of a value, and a chain of definitions that each refer to the next
one twice takes 2^n: a few hundred bytes could keep a validator busy for years. So a schema that
recurs, or is large once its references are inlined, is priced before each check: each pair of
schema and value counts as often as it is met, as if nothing were settled early. All others cost
no more than a bounded number of steps for each value within the value.

Where a reference leaves open which schema is meant (`references`), all that may be meant count.
"""

from collections.abc import Iterator
from typing import Any, cast

from gateway.references import (
    IN_PLACE,
    REFERENCES,
    VALUES,
    References,
    Schema,
    nodes_of,
    schemas_in,
)

MAX_STEPS = 200_000
"""Pairs of a schema and a value in one check."""
_FREE_STEPS = 5_000
_MAX_LOOPS = 3
_ITEMS = ("items", "additionalItems", "contains", "unevaluatedItems")
_MEMBERS = ("patternProperties", "unevaluatedProperties")

Price = dict[tuple[int, int], int | None]


class Endless(ValueError):
    """Too many references lead back to a schema without a step into the value.

    Validators end such a loop when they meet it, which bounds the steps only where loops are few.
    """


class Effort:
    """The price of checks against one schema, which a validator has compiled."""

    def __init__(self, root: Schema) -> None:
        """Read the schema's references.

        Raises:
            Endless: see there.
        """
        nodes = list(nodes_of(root))
        self._root, self._references = root, References(root)
        self._grows, self._loops = False, 0
        if any(key in node for node in nodes for key in REFERENCES):
            closed: Price = {}
            for node in nodes:
                self._price(node, None, closed)
            if self._loops > _MAX_LOOPS:
                raise Endless("the schema refers to itself without an end")
            self._grows = self._inlined(root, {}) > _FREE_STEPS

    def fits(self, value: Any) -> bool:
        """Whether a check of this value takes a bounded number of steps."""
        if not self._grows:
            return True
        try:
            return self._price(self._root, value, {}) <= MAX_STEPS
        except RecursionError:
            return False

    def _price(self, schema: Schema, value: Any, known: Price) -> int:
        key = (id(schema), id(value))
        if key in known:
            price = known[key]
            self._loops += price is None
            return price or 1
        known[key] = None
        price = 1 + sum(self._price(s, v, known) for s, v in self._met(schema, value))
        known[key] = price
        return price

    def _met(self, schema: Schema, value: Any) -> Iterator[tuple[Schema, Any]]:
        """The pairs of schema and value that checking one pair comes to next."""
        for key in IN_PLACE:
            for inner in schemas_in(key, schema.get(key)):
                yield inner, value
        for target in self._references.targets(schema):
            yield target, value
        if isinstance(value, dict):
            for name, member in cast(dict[str, Any], value).items():
                for inner in _of_member(schema, name):
                    yield inner, member
        elif isinstance(value, list):
            for i, item in enumerate(cast(list[Any], value)):
                for inner in _of_item(schema, i):
                    yield inner, item

    def _inlined(self, schema: Schema, known: dict[int, float | None]) -> float:
        """The number of schemas once references are inlined; infinite if one leads back."""
        if id(schema) in known:
            size = known[id(schema)]
            return float("inf") if size is None else size
        known[id(schema)] = None
        parts = [*_inner(schema), *self._references.targets(schema)]
        size = 1.0 + sum(self._inlined(part, known) for part in parts)
        known[id(schema)] = size
        return size


def _of_member(schema: Schema, name: str) -> Iterator[Schema]:
    properties = schema.get("properties")
    own = cast(Schema, properties).get(name) if isinstance(properties, dict) else None
    yield from schemas_in("", own if own is not None else schema.get("additionalProperties"))
    for key in _MEMBERS:
        yield from schemas_in(key, schema.get(key))


def _of_item(schema: Schema, index: int) -> Iterator[Schema]:
    for key in ("prefixItems", *_ITEMS):
        value = schema.get(key)
        if isinstance(value, list):
            value = cast(list[Any], value)[index : index + 1]
        yield from schemas_in(key, value)


def _inner(schema: Schema) -> Iterator[Schema]:
    for key, value in schema.items():
        if key not in VALUES and key not in ("$defs", "definitions"):
            yield from schemas_in(key, value)
