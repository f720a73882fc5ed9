"""Is every value that one schema accepts accepted by another? Proven, or taken for no.

Looks at one keyword of a schema in normal form at a time: does it hold for every value of the
older schema? The keywords of a schema bind together, so a schema widens if each of its keywords
does; the few that lean on a neighbour are judged with it. Values that an `enum` lists are tried
with a real validator. Schemas within schemas are judged by the caller, who passes `within`.
"""

import math
from collections.abc import Callable
from typing import Any, cast

from gateway.drift.bounded import same, text_of
from gateway.drift.normal import NEVER
from gateway.drift.unions import types_of
from gateway.drift.values import ABSENT, KNOWN, accepts, bare, listed
from gateway.drift.words import (
    FORMATS,
    LEAST,
    LOWER,
    MOST,
    OF_TYPE,
    UNEVALUATED,
    UPPER,
    Schema,
)  # fmt: skip

Within = Callable[[Schema, Schema], bool]
_LIFTED = KNOWN - {"if", "patternProperties", "prefixItems", "minContains", "maxContains"}
"""Keywords that refuse values by themselves, so that fewer are refused without them."""


def holds(key: str, before: Schema, after: Schema, within: Within) -> bool:
    """Whether `after`'s keyword is proven to hold for every value of `before`."""
    was, now = before.get(key, ABSENT), after.get(key, ABSENT)
    if UNEVALUATED & after.keys() or key not in KNOWN:
        return was is not ABSENT and now is not ABSENT and same(was, now)
    if not _concerns(key, now, before):
        return True
    if now is ABSENT:
        return key in _LIFTED or _lifted_with_neighbours(key, after)
    rule = _RULES.get(key)
    if rule is not None:
        return rule(before, after)
    if key in LEAST | MOST:
        return _numbers(was, now) and (was >= now if key in LEAST else was <= now)
    if was is ABSENT:
        return False
    if key == "allOf":
        return _all_of(before, after, within)
    if key in ("contains", "propertyNames") and "maxContains" not in after:
        return isinstance(was, dict) and isinstance(now, dict) and within(was, now)
    return key not in ("then", "else") and same(bare({key: was}), bare({key: now}))


def is_known(key: str) -> bool:
    """Whether the meaning of a keyword is known here."""
    return key in KNOWN


def _concerns(key: str, now: Any, before: Schema) -> bool:
    kind = OF_TYPE.get(key)
    if key == "format":
        checked = now is ABSENT or (isinstance(now, str) and now in FORMATS)
        kind = "string" if checked else None
    if kind is None:
        return True
    types = types_of(before)
    return kind in types or (kind == "number" and "integer" in types)


def _lifted_with_neighbours(key: str, after: Schema) -> bool:
    if key == "patternProperties":
        return "additionalProperties" not in after
    if key == "prefixItems":
        return "items" not in after
    if key == "if":
        return "then" not in after and "else" not in after
    return "contains" not in after


def _type(before: Schema, after: Schema) -> bool:
    named = after["type"] if isinstance(after["type"], list) else [after["type"]]
    if not all(isinstance(name, str) for name in cast(list[Any], named)):
        return same(before.get("type"), after["type"])
    now = set(cast(list[str], named))
    return all(t in now or (t == "integer" and "number" in now) for t in types_of(before))


def _enum(before: Schema, after: Schema) -> bool:
    values = listed(before)
    if values is None or not isinstance(after["enum"], list):
        return False
    return accepts({"enum": after["enum"]}, values)


def _lower(before: Schema, after: Schema) -> bool:
    return _bound(before, after, ("minimum", "exclusiveMinimum"), 1)


def _upper(before: Schema, after: Schema) -> bool:
    return _bound(before, after, ("maximum", "exclusiveMaximum"), -1)


def _bound(before: Schema, after: Schema, keys: tuple[str, str], sign: int) -> bool:
    given = [side[key] for side in (before, after) for key in keys if key in side]
    if not _numbers(*given):
        return all(same(before.get(key), after.get(key)) for key in keys)
    whole = "number" not in types_of(before)
    return _limit(before, keys, sign, whole=whole) >= _limit(after, keys, sign, whole=whole)


def _limit(schema: Schema, keys: tuple[str, str], sign: int, *, whole: bool) -> tuple[Any, bool]:
    """The stronger of two lower bounds (upper ones with `sign` -1), and whether it is refused."""
    found: tuple[Any, bool] = (-math.inf, False)
    for key, refused in zip(keys, (False, True), strict=True):
        if key not in schema:
            continue
        value = sign * schema[key]
        if whole:
            value, limit_refused = (math.floor(value) + 1 if refused else math.ceil(value)), False
        else:
            limit_refused = refused
        found = max(found, (value, limit_refused))
    return found


def _multiple(before: Schema, after: Schema) -> bool:
    was, now = before.get("multipleOf"), after["multipleOf"]
    if isinstance(now, int) and now == 1 and "number" not in types_of(before):
        return True
    if isinstance(was, int) and isinstance(now, int) and now > 0:
        return was % now == 0
    return was is not None and same(was, now)


def _required(before: Schema, after: Schema) -> bool:
    was, now = before.get("required", []), after["required"]
    if not isinstance(now, list) or not isinstance(was, list):
        return False
    names = {text_of(name) for name in cast(list[Any], was)}
    return all(text_of(name) in names for name in cast(list[Any], now))


def _pattern(before: Schema, after: Schema) -> bool:
    return before.get("pattern") == after["pattern"]


def _format(before: Schema, after: Schema) -> bool:
    return before.get("format") == after["format"]


def _one_of(before: Schema, after: Schema) -> bool:
    was, now = before.get("oneOf"), after["oneOf"]
    if not isinstance(was, list) or not isinstance(now, list):
        return False
    old, new = (sorted(text_of(bare(item)) for item in cast(list[Any], x)) for x in (was, now))
    return old == new


def _unique(before: Schema, after: Schema) -> bool:
    return before.get("uniqueItems") is True or after["uniqueItems"] is False


def _additional(before: Schema, after: Schema) -> bool:
    return before.get("additionalProperties") == NEVER


_RULES: dict[str, Callable[[Schema, Schema], bool]] = {
    "type": _type, "enum": _enum, **dict.fromkeys(LOWER, _lower), **dict.fromkeys(UPPER, _upper),
    "multipleOf": _multiple, "required": _required, "pattern": _pattern, "format": _format,
    "oneOf": _one_of, "uniqueItems": _unique, "additionalProperties": _additional,
}  # fmt: skip


def _all_of(before: Schema, after: Schema, within: Within) -> bool:
    old, new = before["allOf"], after["allOf"]
    if not isinstance(old, list) or not isinstance(new, list):
        return False
    parts = cast(list[Schema], old)
    return all(any(within(part, now) for part in parts) for now in cast(list[Schema], new))


def _numbers(*values: Any) -> bool:
    return all(
        not isinstance(v, bool)
        and (isinstance(v, int) or (isinstance(v, float) and math.isfinite(v)))
        for v in values
    )
