"""Drift: the difference between the toolset an adapter was trained on and the live one, graded.

`toolset` compares two toolsets, `schema` two input schemas, by `comparison` keyword by keyword with
`widening` proving what it can; `renames` finds tools under new names. Schemas are compared by
meaning, in the normal form of `normal` and `unions`, with an eye on what stands around them
(`members`); `spelling` finds what differs in writing alone. Everything is a pure function over
values, bounded in steps, and never fetches anything.
"""

from gateway.drift.changes import NO_DRIFT, Change, Drift, ToolDrift, worst
from gateway.drift.toolset import compare
from gateway.grades import GRADES, MASKED, DriftGrade

__all__ = [
    "GRADES", "MASKED", "NO_DRIFT", "Change", "Drift", "DriftGrade", "ToolDrift", "compare",
    "worst",
]  # fmt: skip
