"""The grades of drift, and the actions that a policy may name for each. Imports nothing of ours."""

from typing import Literal, get_args

DriftGrade = Literal[
    "none", "notation", "description", "compatible", "added", "breaking", "renamed", "removed"
]
GRADES: tuple[DriftGrade, ...] = get_args(DriftGrade)
"""Every grade, mildest first."""
MASKED: frozenset[DriftGrade] = frozenset({"breaking", "renamed", "removed"})
"""The grades that mask a tool unless the policy says otherwise."""

DriftAction = Literal["log", "warn", "mask", "fallback", "block"]
ACTIONS: tuple[DriftAction, ...] = get_args(DriftAction)
"""Every action, mildest first."""
