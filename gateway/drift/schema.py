"""Every change between two input schemas, each at its JSON Pointer with its grade.

Compares normal forms keyword by keyword: a keyword that is not proven to hold for every value of
the older schema is `breaking`; one that is, is `compatible`, or `notation` where the same holds
the other way round. Texts that the model reads are `description`. An argument that is gone is
`breaking` and an optional one that is new is `compatible` by the contract: what is not listed is
not sent, even where unlisted arguments are let through.

What remains equal in meaning is `notation`. Comparing takes a bounded number of steps; what is
not settled by then is `breaking`. Knows schemas, not tools.
"""

from collections.abc import Iterator
from typing import Any, cast

from gateway.drift.bounded import Unbounded, is_deep, same
from gateway.drift.cases import (
    cases,
    holds_unevaluated,
    is_union,
    merged,
    recurs,
    same_text,
    texts,
)
from gateway.drift.changes import Change, DriftGrade
from gateway.drift.normal import NEVER, normal
from gateway.drift.spelling import spelling
from gateway.drift.unions import constraints, types_of
from gateway.drift.values import ABSENT, accepts, listed
from gateway.drift.widening import holds, is_known
from gateway.drift.words import (
    TEXTS,
    Schema,
    dialect,
)  # fmt: skip
from gateway.pointer import at

MAX_STEPS = 20_000
"""Pairs of schemas compared within one pair of tools."""


def schema_changes(before: Any, after: Any, pointer: str) -> list[Change]:
    """Every change between two schemas as sent; none if they are equal as JSON."""
    if before is after or same(before, after):
        return []
    unproven = [Change(pointer, "breaking", before, after)]
    if is_deep(before) or is_deep(after):
        return unproven
    try:
        old, new = normal(before), normal(after)
        found = list(_Comparison(pointer).changes(old, new, pointer))
    except (Unbounded, RecursionError):
        return unproven
    if not _is_understood(before, after, found):
        return unproven
    told = {change.pointer for change in found}
    spelt = spelling(before, after, pointer, only_annotations=bool(found))
    return found + [change for change in spelt if change.pointer not in told]


def _is_understood(before: Any, after: Any, found: list[Change]) -> bool:
    """False where calls may depend on a draft of JSON Schema that is not known here."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return True
    old, new = cast(Schema, before), cast(Schema, after)
    if dialect(old) is not None and dialect(new) is not None:
        return True
    meant = any(change.grade in ("compatible", "breaking") for change in found)
    return not meant and same(old.get("$schema"), new.get("$schema"))


class _Comparison:
    """One comparison of two schemas; counts its steps."""

    def __init__(self, root: str) -> None:
        self._left = MAX_STEPS
        self._root = root

    def changes(self, before: Schema, after: Schema, pointer: str) -> Iterator[Change]:
        self._left -= 1
        if self._left < 0:
            raise Unbounded
        if same(before, after):
            return
        for key in TEXTS:
            was, now = before.get(key, ABSENT), after.get(key, ABSENT)
            if not same_text(key, was, now):
                yield Change(at(pointer, key), "description", _shown(was), _shown(now))
        old, new = constraints(before), constraints(after)
        if same(old, new):
            return
        if old == NEVER or new == NEVER or is_union(old) != is_union(new):
            yield from self._whole(old, new, pointer)
            return
        forth, back = _all_accepted(old, new), _all_accepted(new, old)
        for key in [*old, *(key for key in new if key not in old)]:
            was, now, where = old.get(key, ABSENT), new.get(key, ABSENT), at(pointer, key)
            if was is not ABSENT and now is not ABSENT and same(was, now):
                continue
            inside = self._inside(key, old, new, where)
            if inside is None:
                kept = (forth and is_known(key)) or holds(key, old, new, self.within)
                turned = (back and is_known(key)) or holds(key, new, old, self.within)
                inside = _keyword(where, was, now, kept=kept, turned=turned)
            yield from inside

    def _inside(self, key: str, old: Schema, new: Schema, where: str) -> Iterator[Change] | None:
        """The changes within a keyword that holds schemas, None for one that is one piece."""
        was, now = old.get(key, ABSENT), new.get(key, ABSENT)
        if key == "properties" and _are_maps(was, now):
            return self._properties(old, new, where)
        if key in ("items", "additionalProperties") and _are_schemas(was, now):
            return self.changes(was, now, where)
        if key == "anyOf" and is_union(old) and not holds_unevaluated(new):
            return self._any_of(old, new, where)
        return None

    def within(self, before: Schema, after: Schema) -> bool:
        """Whether every value of `before` is proven to be one of `after`."""
        return all(change.grade != "breaking" for change in self.changes(before, after, ""))

    def _properties(self, old: Schema, new: Schema, pointer: str) -> Iterator[Change]:
        was, now = _members(old), _members(new)
        required = new.get("required")
        for name, schema in was.items():
            if name not in now:
                yield Change(at(pointer, name), "breaking", _shown(schema), None)
            else:
                yield from self.changes(schema, now[name], at(pointer, name))
        for name, schema in now.items():
            if name not in was:
                forced = isinstance(required, list) and name in required
                listed_before = bool(was) or pointer == at(self._root, "properties")
                fits = not forced and self._is_free(old, schema, listed_before)
                grade: DriftGrade = "compatible" if fits else "breaking"
                yield Change(at(pointer, name), grade, None, _shown(schema))

    def _is_free(self, old: Schema, schema: Schema, arguments: bool) -> bool:
        """Whether what could be sent under a new argument's name is still accepted.

        Beside other `arguments` nobody sends one that is not listed; where none is listed, the
        object is one of free content.
        """
        others = old.get("additionalProperties")
        if others == NEVER:
            return True
        if "patternProperties" in old or constraints(schema) == NEVER:
            return False
        if others is None:
            return arguments or not constraints(schema)
        return isinstance(others, dict) and self.within(others, schema)

    def _any_of(self, old: Schema, new: Schema, pointer: str) -> Iterator[Change]:
        """Two unions: branch by branch where they pair off, else as sets of values."""
        mine, yours = cases(old)[0], cases(new)[0]
        paired = list(map(types_of, mine)) == list(map(types_of, yours))
        found: list[Change] = []
        if paired:
            for i, (one, other) in enumerate(zip(mine, yours, strict=True)):
                found += self.changes(one, other, at(pointer, i))
            if all(change.grade != "breaking" for change in found):
                yield from found
                return
        if self._covers(old, new):
            turned = self._covers(new, old)
            yield from _keyword(pointer, mine, yours, kept=True, turned=turned)
        elif paired:
            yield from found
        else:
            yield Change(pointer, "breaking", mine, yours)

    def _whole(self, old: Schema, new: Schema, pointer: str) -> Iterator[Change]:
        """One change for two schemas that have no keywords to be compared one by one."""
        kept, turned = self._covers(old, new), self._covers(new, old)
        yield from _keyword(pointer, old, new, kept=kept, turned=turned)

    def _covers(self, before: Schema, after: Schema) -> bool:
        """Whether each case of `before` is proven to fall within one case of `after`."""
        if before == NEVER:
            return True
        if after == NEVER or holds_unevaluated(after):
            return False
        if is_union(before) != is_union(after) and recurs(before, after):
            return False
        branches, rest = cases(after)
        if (values := listed(before)) is not None:
            return accepts(after, values)
        own, around = cases(before)
        for case in merged(own, around):
            if rest and (recurs(rest) or not self.within(case, rest)):
                return False
            if not any(self.within(case, branch) for branch in branches):
                return False
        return True


def _keyword(pointer: str, was: Any, now: Any, *, kept: bool, turned: bool) -> Iterator[Change]:
    grade: DriftGrade = "breaking" if not kept else "notation" if turned else "compatible"
    if grade == "notation" and texts(was) != texts(now):
        grade = "description"
    yield Change(pointer, grade, _shown(was), _shown(now))


def _all_accepted(old: Schema, new: Schema) -> bool:
    """Whether each of the few values that `old` lists is one of `new`."""
    if "enum" not in old and "enum" not in new:
        return False
    values = listed(old)
    return values is not None and accepts(new, values)


def _are_maps(was: Any, now: Any) -> bool:
    return all(value is ABSENT or isinstance(value, dict) for value in (was, now))


def _are_schemas(was: Any, now: Any) -> bool:
    return isinstance(was, dict) and isinstance(now, dict)


def _members(schema: Schema) -> dict[str, Schema]:
    return schema.get("properties", {})


def _shown(value: Any) -> Any:
    if value is ABSENT:
        return None
    return False if value == NEVER and isinstance(value, dict) else value
