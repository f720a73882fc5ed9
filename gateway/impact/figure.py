"""What a drift costs, from proposals and the live tools. Pure functions over values.

The model's proposal for a row is the same before and after: prompt and grammar stay those of the
trained toolset. What drift changes is what becomes of it:

- before: the proposal is judged by the trained toolset, as the report of the adapter did;
- drifted: by the live one, nothing masked: a tool that is gone, or arguments that break the live
  schema, make the proposal invalid;
- with the policy: the same, and the calls that the policy withholds are not made.

A row that wants a call which is no longer valid (its tool is gone or has another name, or the
arguments break the live schema) can no longer be answered exactly. A row that wants no tool still
does: whether an added tool would have helped is not known here.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway.checks import ToolsetChecks
from gateway.decide import Decision, decide
from gateway.drift import Drift, DriftGrade
from gateway.impact.rows import EvalRow
from gateway.manifest import Adapter
from gateway.score import Grade, figures, grade
from gateway.types import Call, Route, Toolset

_SHOWN = ("exact", "wrong_call_rate", "coverage")
_COLUMNS = ("before", "drifted", "policy")


@dataclass(frozen=True, slots=True)
class Replayed:
    """One row: its proposal, what became of it before and becomes of it now, and the grades."""

    row: EvalRow
    proposed: tuple[Call, ...]
    was: Decision
    now: Decision
    before: Grade
    drifted: Grade
    policy: Grade

    @property
    def flipped(self) -> bool:
        """Whether the row is answered exactly no more under the policy, or only now."""
        return self.before.exact != self.policy.exact

    def as_dict(self) -> dict[str, Any]:
        """The form of `--json`."""
        return {
            "request": self.row.text,
            "wanted": [call.as_dict() for call in self.row.calls],
            "proposed": [call.as_dict() for call in self.proposed],
            "before": self.was.outcome,
            "after": self.now.outcome,
            "reason": self.now.reason,
            "exact": self.policy.exact,
        }


@dataclass(frozen=True, slots=True)
class Impact:
    """The rows of an adapter, replayed."""

    rows: Sequence[Replayed]

    @property
    def flips(self) -> Sequence[Replayed]:
        """The rows that flipped."""
        return [row for row in self.rows if row.flipped]

    @property
    def newly_wrong(self) -> Sequence[Replayed]:
        """The rows with a wrong call under the policy, and none before."""
        return [row for row in self.rows if row.policy.wrong and not row.before.wrong]

    def as_dict(self, shown: int | None = None) -> dict[str, Any]:
        """The form of `--json`: each figure before, drifted, and under the policy; how many rows
        have a wrong call only now; of those that flipped at most `shown`, and how many they are.
        """
        return {
            "rows": len(self.rows),
            **{column: _figures(_grades(self.rows, column)) for column in _COLUMNS},
            "tools": {
                tool: {column: _exact(rows, column) for column in _COLUMNS} | {"n": len(rows)}
                for tool, rows in self._tools.items()
            },
            "newly_wrong": len(self.newly_wrong),
            "flips": len(self.flips),
            "flipped": [row.as_dict() for row in self.flips[:shown]],
        }

    @property
    def summary(self) -> str:
        """One line: the exact rate before and under the policy, then each tool whose rate moved."""
        was, now = _percents(self.rows)
        parts = [f"exact {was:.1f} % -> {now:.1f} %"]
        for tool, rows in self._tools.items():
            was, now = _percents(rows)
            if was != now:
                parts.append(f"{tool} {was:.0f} -> {now:.0f}")
        wrong = sum(row.policy.wrong - row.before.wrong for row in self.rows)
        if wrong:
            parts.append(f"wrong calls {wrong:+d}")
        return f"{'; '.join(parts)} (of {len(self.rows)} rows)"

    @property
    def _tools(self) -> Mapping[str, Sequence[Replayed]]:
        """The rows by the tool that they want, the first one where they want several."""
        found: dict[str, list[Replayed]] = {}
        for row in self.rows:
            for call in row.row.calls[:1]:
                found.setdefault(call.tool, []).append(row)
        return found


def flip_line(flip: Mapping[str, Any]) -> str:
    """A row that flipped, as `Replayed.as_dict` gives it, in one line."""
    made = json.dumps(flip["proposed"], ensure_ascii=False)
    return f"{flip['before']} -> {flip['after']}: {flip['request']!r} {made}"


def impact_of(
    adapter: Adapter,
    live: Toolset,
    drift: Drift,
    withheld: frozenset[DriftGrade],
    rows: Sequence[EvalRow],
    routes: Sequence[Route],
) -> Impact:
    """What a drift costs an adapter; `withheld` are the grades whose tools the policy masks.

    Raises:
        SchemaError: a tool's schema cannot be used.
    """
    threshold = adapter.manifest.calibration.threshold
    trained, now = ToolsetChecks(adapter.toolset), ToolsetChecks(live)

    def replayed(row: EvalRow, route: Route) -> Replayed:
        checks = [trained.check(call, row.messages) for call in route.calls]
        was = decide(route, checks, threshold)
        checks = [now.check(c, row.messages, drift.grade_of(c.tool)) for c in route.calls]
        unmasked, masked = (decide(route, checks, threshold, m) for m in (frozenset(), withheld))
        right = all(now.allows(call) for call in row.calls)
        return Replayed(
            row, route.calls, was, masked,
            _grade(row, was, True), _grade(row, unmasked, right), _grade(row, masked, right),
        )  # fmt: skip

    return Impact([replayed(row, route) for row, route in zip(rows, routes, strict=True)])


def _grade(row: EvalRow, decision: Decision, right: bool) -> Grade:
    found = grade(row.calls, decision.outcome, decision.calls, row.accept)
    return found if right else replace(found, right_tool=False, right_arguments=False)


def _figures(grades: Sequence[Grade]) -> dict[str, Any]:
    found = figures(grades)
    return {name: found[name] for name in _SHOWN}


def _grades(rows: Sequence[Replayed], column: str) -> list[Grade]:
    return [getattr(row, column) for row in rows]


def _exact(rows: Sequence[Replayed], column: str) -> int:
    return sum(found.exact for found in _grades(rows, column))


def _percents(rows: Sequence[Replayed]) -> tuple[float, float]:
    """How many of the rows are answered exactly before and under the policy."""
    before, policy = (100 * _exact(rows, column) / len(rows) for column in ("before", "policy"))
    return before, policy
