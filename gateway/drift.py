"""Drift: the difference between the toolset an adapter was trained on and the live one, graded.

- `none`: equal fingerprints (key order never counts);
- `notation`: title, examples or harmless annotations changed;
- `description`: a text the model reads changed, or a safety hint weakened;
- `compatible`: an optional argument was added, an enum or bound widened or lifted;
- `added`: a tool the adapter never saw;
- `breaking`: an argument became required, was removed or retyped, an enum or bound narrowed, or
  anything else that is not proven compatible;
- `renamed`: the same schema and nearly the same description under another name;
- `removed`: the tool is gone.

Pure functions over values: nothing here knows adapters, logs or policies.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from mcp.types import Tool

from gateway.fingerprint import canonical
from gateway.types import Toolset

DriftGrade = Literal[
    "none", "notation", "description", "compatible", "added", "breaking", "renamed", "removed"
]
GRADES: tuple[DriftGrade, ...] = get_args(DriftGrade)
MASKED: frozenset[DriftGrade] = frozenset({"breaking", "renamed", "removed"})
_RENAME_LIKENESS = 0.6
_NOTATION = frozenset({"title", "examples", "$comment", "$schema", "$id", "deprecated"})
_LOWER_BOUNDS = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"})
_UPPER_BOUNDS = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"})
_LIMITS = _LOWER_BOUNDS | _UPPER_BOUNDS | {"enum"}
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Change:
    """One changed field of a tool: a JSON Pointer into the tool, before and after."""

    pointer: str
    grade: DriftGrade
    before: Any = None
    after: Any = None

    def as_dict(self) -> dict[str, Any]:
        """The form of logs and `/admin/drift`; a text too long to read is cut."""
        return {
            "pointer": self.pointer,
            "grade": self.grade,
            "before": _shown(self.before),
            "after": _shown(self.after),
        }


@dataclass(frozen=True, slots=True)
class ToolDrift:
    """One tool's drift. `renamed_to` is set for grade `renamed` alone."""

    tool: str
    grade: DriftGrade
    changes: tuple[Change, ...] = ()
    renamed_to: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The form of logs and `/admin/drift`."""
        value: dict[str, Any] = {
            "tool": self.tool,
            "grade": self.grade,
            "changes": [change.as_dict() for change in self.changes],
        }
        return value | ({"renamed_to": self.renamed_to} if self.renamed_to else {})


@dataclass(frozen=True, slots=True)
class Drift:
    """Every drifted tool, the trained ones first in their order, then the added ones."""

    tools: tuple[ToolDrift, ...] = ()

    @property
    def worst(self) -> DriftGrade:
        """The worst grade, `none` if nothing drifted."""
        return worst(item.grade for item in self.tools)

    def grade_of(self, tool: str) -> DriftGrade:
        """The grade of one tool by the name the adapter knows, or of an added one."""
        return worst(item.grade for item in self.tools if item.tool == tool)

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that the drift concerns, those of renamed tools with their new names."""
        found: list[str] = []
        for item in self.tools:
            found += [item.tool, *([item.renamed_to] if item.renamed_to else [])]
        return tuple(found)


NO_DRIFT = Drift()


def worst(grades: Iterable[DriftGrade]) -> DriftGrade:
    """The worst of several grades, `none` of none."""
    return GRADES[max(map(GRADES.index, grades), default=0)]


def compare(trained: Toolset, live: Mapping[str, Tool]) -> Drift:
    """Grade the live tools against those an adapter was trained on."""
    found: list[ToolDrift] = []
    unseen = {name: tool for name, tool in live.items() if name not in trained.by_name}
    for tool in trained.tools:
        now = live.get(tool.name)
        if now is not None:
            changes = tuple(_changes(tool, now))
            grade = worst(change.grade for change in changes)
            if grade != "none":
                found.append(ToolDrift(tool.name, grade, changes))
            continue
        successor = _successor(tool, unseen)
        if successor is None:
            found.append(ToolDrift(tool.name, "removed"))
        else:
            del unseen[successor]
            change = Change("/name", "renamed", tool.name, successor)
            found.append(ToolDrift(tool.name, "renamed", (change,), successor))
    found += [ToolDrift(name, "added") for name in unseen]
    return Drift(tuple(found))


def _successor(tool: Tool, unseen: Mapping[str, Tool]) -> str | None:
    """The unseen tool that is this one under another name, if one is."""
    schema = canonical(tool.input_schema)
    scored = [
        (_likeness(tool.description or "", other.description or ""), name)
        for name, other in unseen.items()
        if canonical(other.input_schema) == schema
    ]
    score, name = max(scored, default=(0.0, None))
    return name if score >= _RENAME_LIKENESS else None


def _likeness(first: str, second: str) -> float:
    return difflib.SequenceMatcher(None, first.split(), second.split()).ratio()


def _changes(before: Tool, after: Tool) -> Iterator[Change]:
    if before.description != after.description:
        yield Change("/description", "description", before.description, after.description)
    if canonical(before.input_schema) != canonical(after.input_schema):
        yield from _schema_changes(before.input_schema, after.input_schema, "/inputSchema")
    if before.title != after.title:
        yield Change("/title", "notation", before.title, after.title)
    yield from _annotation_changes(before, after)


def _annotation_changes(before: Tool, after: Tool) -> Iterator[Change]:
    old, new = _annotations(before), _annotations(after)
    # Defaults of the MCP specification: not read-only, destructive, not idempotent, open world.
    weaker = (
        old.get("readOnlyHint", False) and not new.get("readOnlyHint", False),
        not old.get("destructiveHint", True) and new.get("destructiveHint", True),
        old.get("idempotentHint", False) and not new.get("idempotentHint", False),
        not old.get("openWorldHint", True) and new.get("openWorldHint", True),
    )
    if old != new:
        yield Change("/annotations", "description" if any(weaker) else "notation", old, new)


def _annotations(tool: Tool) -> dict[str, Any]:
    return tool.annotations.model_dump(by_alias=True, exclude_none=True) if tool.annotations else {}


def _schema_changes(before: Any, after: Any, pointer: str) -> Iterator[Change]:
    """Changes between two schemas; what is not proven compatible is breaking."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        if before != after:
            yield Change(pointer, "breaking", before, after)
        return
    old, new = cast(dict[str, Any], before), cast(dict[str, Any], after)
    required = _names(new.get("required"))
    for key in [*old, *(key for key in new if key not in old)]:
        was, now, at = old.get(key, _ABSENT), new.get(key, _ABSENT), _at(pointer, key)
        if was is not _ABSENT and now is not _ABSENT and canonical(was) == canonical(now):
            continue
        if key == "properties":
            yield from _property_changes(_members(was), _members(now), required, at)
        elif key in ("items", "additionalProperties") and _ABSENT not in (was, now):
            yield from _schema_changes(was, now, at)
        else:
            grade = _keyword_grade(key, was, now)
            yield Change(at, grade, _value(was), _value(now))


def _property_changes(
    before: dict[str, Any], after: dict[str, Any], required: frozenset[str], pointer: str
) -> Iterator[Change]:
    for name, schema in before.items():
        if name not in after:
            yield Change(_at(pointer, name), "breaking", schema, None)
        else:
            yield from _schema_changes(schema, after[name], _at(pointer, name))
    for name in (name for name in after if name not in before):
        grade: DriftGrade = "breaking" if name in required else "compatible"
        yield Change(_at(pointer, name), grade, None, after[name])


def _keyword_grade(key: str, was: Any, now: Any) -> DriftGrade:
    if key in _NOTATION:
        return "notation"
    if key in ("description", "default"):
        return "description"
    if key == "required":
        return "compatible" if _set(now) <= _set(was) else "breaking"
    if key in _LIMITS and now is _ABSENT:
        return "compatible"
    if key in ("enum", "type") and _ABSENT not in (was, now):
        return "compatible" if _set(was) <= _set(now) else "breaking"
    if key in _LOWER_BOUNDS | _UPPER_BOUNDS and _is_number(was) and _is_number(now):
        wider = now <= was if key in _LOWER_BOUNDS else now >= was
        return "compatible" if wider else "breaking"
    return "breaking"


def _at(pointer: str, name: str) -> str:
    return pointer + "/" + name.replace("~", "~0").replace("/", "~1")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _names(value: Any) -> frozenset[str]:
    items = cast(list[Any], value) if isinstance(value, list) else []
    return frozenset(item for item in items if isinstance(item, str))


def _members(value: Any) -> dict[str, Any]:
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}


def _set(value: Any) -> set[bytes]:
    items = cast(list[Any], value) if isinstance(value, list) else [value]
    return set() if value is _ABSENT else {canonical(item) for item in items}


def _value(value: Any) -> Any:
    return None if value is _ABSENT else value


def _shown(value: Any) -> Any:
    if isinstance(value, str) and len(value) > 400:
        return value[:399] + "…"
    return value
