"""Compares two schemas in normal form keyword by keyword, and grades each change.

A keyword that is not proven to hold for every value of the older schema is `breaking`; one that is,
is `compatible`, or `notation` where the same holds the other way round. Texts that the model reads
are `description`. An argument that is gone is `breaking` and an optional one that is new is
`compatible` by the contract: what is not listed is not sent, even where unlisted arguments are let
through.

Where a reference leads back on both sides alike, what it leads back to counts as proven, since the
comparison is under way. Comparing takes a bounded number of steps.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any, cast

from gateway.drift.bounded import Unbounded, same
from gateway.drift.cases import cases, holds_unevaluated, is_union, merged, same_text, texts
from gateway.drift.changes import Change, DriftGrade
from gateway.drift.members import Members
from gateway.drift.normal import NEVER
from gateway.drift.unions import constraints, recurs, types_of
from gateway.drift.values import ABSENT, accepts, listed
from gateway.drift.widening import holds, is_known
from gateway.drift.words import TEXTS, Schema
from gateway.pointer import at

MAX_STEPS = 20_000
"""Pairs of schemas compared within one pair of tools."""
_VALUES_A_STEP = 20
"""Values of an `enum` that take as long as a pair of schemas."""


class Comparison:
    """One comparison of two schemas; counts its steps, and proves nothing twice."""

    def __init__(self, root: str) -> None:
        self._left = MAX_STEPS
        self._root = root
        self._proofs: dict[tuple[int, ...], tuple[bool, Any]] = {}

    def changes(
        self, before: Schema, after: Schema, pointer: str, members: Members | None = None
    ) -> Iterator[Change]:
        """`members` are those of the older schema for the same value, `before`'s own if None."""
        members = members or Members(before)
        self._left -= 1 + (_values(before) + _values(after)) // _VALUES_A_STEP
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
            yield from self._whole(old, new, pointer, members)
            return
        forth, back = _all_accepted(old, new), _all_accepted(new, old)
        for key in [*old, *(key for key in new if key not in old)]:
            was, now, where = old.get(key, ABSENT), new.get(key, ABSENT), at(pointer, key)
            if was is not ABSENT and now is not ABSENT and same(was, now):
                continue
            inside = self._inside(key, old, new, where, members)
            if inside is None:
                within = partial(self.within, members=members if key == "allOf" else None)
                kept = (forth and is_known(key)) or holds(key, old, new, within)
                turned = (back and is_known(key)) or holds(key, new, old, within)
                inside = _keyword(where, was, now, kept=kept, turned=turned)
            yield from inside

    def _inside(
        self, key: str, old: Schema, new: Schema, where: str, members: Members
    ) -> Iterator[Change] | None:
        """The changes within a keyword that holds schemas, None for one that is one piece."""
        was, now = old.get(key, ABSENT), new.get(key, ABSENT)
        if key == "properties" and _are_maps(was, now):
            return self._properties(old, new, where, members)
        if key in ("items", "additionalProperties") and _are_schemas(was, now):
            return self.changes(was, now, where)
        if key == "anyOf" and is_union(old) and not holds_unevaluated(new):
            return self._any_of(old, new, where, members)
        return None

    def within(self, before: Schema, after: Schema, members: Members | None = None) -> bool:
        """Whether every value of `before` is proven to be one of `after`."""
        compared = (before, after, members)
        key = tuple(map(id, compared))
        if key not in self._proofs:
            changes = self.changes(before, after, "", members)
            proven = all(change.grade != "breaking" for change in changes)
            self._proofs[key] = (proven, compared)  # What is kept keeps its id.
        return self._proofs[key][0]

    def _properties(
        self, old: Schema, new: Schema, pointer: str, members: Members
    ) -> Iterator[Change]:
        was, now = _members(old), _members(new)
        required = new.get("required")
        for name, schema in was.items():
            if name not in now:
                yield Change(at(pointer, name), "breaking", _shown(schema), None)
            else:
                yield from self.changes(schema, now[name], at(pointer, name), members.of(name))
        for name, schema in now.items():
            if name not in was:
                forced = isinstance(required, list) and name in required
                arguments = bool(was) or pointer == at(self._root, "properties")
                unsent = arguments and not members.may_hold(name)
                fits = not forced and self._is_free(old, schema, unsent)
                grade: DriftGrade = "compatible" if fits else "breaking"
                yield Change(at(pointer, name), grade, None, _shown(schema))

    def _is_free(self, old: Schema, schema: Schema, unsent: bool) -> bool:
        """Whether what could be sent under a new argument's name is still accepted.

        Beside other arguments one that is not listed anywhere is `unsent`; where none is listed,
        the object is one of free content.
        """
        others = old.get("additionalProperties")
        if others == NEVER:
            return True
        if "patternProperties" in old or constraints(schema) == NEVER:
            return False
        if not others:
            return unsent or not constraints(schema)
        return isinstance(others, dict) and self.within(others, schema)

    def _any_of(self, old: Schema, new: Schema, pointer: str, members: Members) -> Iterator[Change]:
        """Two unions: branch by branch where they pair off, else as sets of values."""
        mine, yours = cases(old)[0], cases(new)[0]
        paired = list(map(types_of, mine)) == list(map(types_of, yours))
        found: list[Change] = []
        if paired:
            for i, (one, other) in enumerate(zip(mine, yours, strict=True)):
                found += self.changes(one, other, at(pointer, i), members)
            if all(change.grade != "breaking" for change in found):
                yield from found
                return
        if self._covers(old, new, members):
            turned = self._covers(new, old, members)
            yield from _keyword(pointer, mine, yours, kept=True, turned=turned)
        elif paired:
            yield from found
        else:
            yield Change(pointer, "breaking", mine, yours)

    def _whole(self, old: Schema, new: Schema, pointer: str, members: Members) -> Iterator[Change]:
        """One change for two schemas that have no keywords to be compared one by one."""
        kept, turned = self._covers(old, new, members), self._covers(new, old, members)
        yield from _keyword(pointer, old, new, kept=kept, turned=turned)

    def _covers(self, before: Schema, after: Schema, members: Members) -> bool:
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
            if rest and (recurs(rest) or not self.within(case, rest, members)):
                return False
            if not any(self.within(case, branch, members) for branch in branches):
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


def _values(schema: Schema) -> int:
    values = schema.get("enum")
    return len(cast(list[Any], values)) if isinstance(values, list) else 0


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
