"""The values that drift is told in: grades, one change, one tool's drift, a toolset's drift.

Knows how a change is shown in logs, in `/admin/drift` and on the command line, and nothing of
how it was found. Of ours, imports the grades alone.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gateway.grades import GRADES, DriftGrade

_TEXT_CHARS = 400
_VALUE_CHARS = 2_000


@dataclass(frozen=True, slots=True)
class Change:
    """One changed field of a tool: a JSON Pointer into the tool, before and after.

    Below `/inputSchema` the pointer reads through local `$ref`s as if each stood inlined where it
    is used, and the values are given in normal form. None stands for what is absent.
    """

    pointer: str
    grade: DriftGrade
    before: Any = None
    after: Any = None

    def as_dict(self) -> dict[str, Any]:
        """The form of logs and `/admin/drift`; what is too long to read is cut."""
        return {
            "pointer": self.pointer,
            "grade": self.grade,
            "before": _shown(self.before),
            "after": _shown(self.after),
        }


@dataclass(frozen=True, slots=True)
class ToolDrift:
    """One tool's drift. `renamed_to` and `score` are set for grade `renamed` alone.

    `score` (0 to 1) is how alike the two tools are; `changes` holds what else changed.
    """

    tool: str
    grade: DriftGrade
    changes: tuple[Change, ...] = ()
    renamed_to: str | None = None
    score: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """The form of logs and `/admin/drift`."""
        value: dict[str, Any] = {
            "tool": self.tool,
            "grade": self.grade,
            "changes": [change.as_dict() for change in self.changes],
        }
        if self.renamed_to is not None:
            value["renamed_to"] = self.renamed_to
        if self.score is not None:
            value["score"] = round(self.score, 3)
        return value


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


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= _TEXT_CHARS else value[: _TEXT_CHARS - 1] + "…"
    if not isinstance(value, dict | list):
        return value
    try:
        text = json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "… (nested too deep to show)"
    return value if len(text) <= _VALUE_CHARS else text[: _VALUE_CHARS - 1] + "…"
