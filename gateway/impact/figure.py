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

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.decide import CallCheck, Decision, decide
from gateway.drift import Drift, DriftGrade
from gateway.grounding.ground import ungrounded
from gateway.impact.rows import EvalRow
from gateway.manifest import Adapter
from gateway.score import Grade, figures, grade
from gateway.types import Call, Route, Toolset
from gateway.validate import ToolValidator

_SHOWN = ("exact", "wrong_call_rate", "coverage")
_NOTHING: frozenset[DriftGrade] = frozenset()


@dataclass(frozen=True, slots=True)
class Flip:
    """A row that was answered exactly and is no more, or the reverse, under the policy."""

    row: EvalRow
    proposed: tuple[Call, ...]
    before: Decision
    after: Decision
    now_exact: bool

    def as_dict(self) -> dict[str, Any]:
        """The form of `--json`."""
        return {
            "request": self.row.text,
            "wanted": [call.as_dict() for call in self.row.calls],
            "proposed": [call.as_dict() for call in self.proposed],
            "before": self.before.outcome,
            "after": self.after.outcome,
            "reason": self.after.reason,
            "exact": self.now_exact,
        }


@dataclass(frozen=True, slots=True)
class Impact:
    """Grades of the same rows before, drifted, and with the policy; and the rows that flipped."""

    rows: Sequence[EvalRow]
    before: Sequence[Grade]
    drifted: Sequence[Grade]
    policy: Sequence[Grade]
    flips: tuple[Flip, ...]

    def as_dict(self) -> dict[str, Any]:
        """The form of `--json`, of `/admin/drift` and of the event."""
        return {
            "rows": len(self.rows),
            **{
                name: {key: figures(grades)[key] for key in _SHOWN}
                for name, grades in self._columns.items()
            },
            "tools": {
                tool: {
                    name: _exact(self.rows, grades, tool) for name, grades in self._columns.items()
                }
                | {"n": n}
                for tool, n in self._wanted.items()
            },
            "flipped": [flip.as_dict() for flip in self.flips],
        }

    @property
    def summary(self) -> str:
        """One line: the exact rate before and after, then each tool that lost rows."""
        before, after = (100 * _rate(grades) for grades in (self.before, self.policy))
        wrong = sum(g.wrong for g in self.policy) - sum(g.wrong for g in self.before)
        parts = [f"exact {before:.1f} % -> {after:.1f} %"]
        for tool, n in self._wanted.items():
            was, now = (_exact(self.rows, grades, tool) for grades in (self.before, self.policy))
            if was != now:
                parts.append(f"{tool} {100 * was / n:.0f} -> {100 * now / n:.0f}")
        if wrong:
            parts.append(f"wrong calls {wrong:+d}")
        return f"{'; '.join(parts)} (of {len(self.rows)} rows)"

    @property
    def _columns(self) -> Mapping[str, Sequence[Grade]]:
        return {"before": self.before, "drifted": self.drifted, "policy": self.policy}

    @property
    def _wanted(self) -> Mapping[str, int]:
        return Counter(call.tool for row in self.rows for call in row.calls[:1])


def impact_of(
    adapter: Adapter,
    live: Toolset,
    drift: Drift,
    withheld: frozenset[DriftGrade],
    rows: Sequence[EvalRow],
    routes: Sequence[Route],
) -> Impact:
    """What a drift costs an adapter; `withheld` are the grades whose tools the policy masks."""
    trained, now = _Checks(adapter, adapter.toolset, None), _Checks(adapter, live, drift)
    pairs = list(zip(rows, routes, strict=True))
    decisions = [
        (
            trained.decision(r, p, _NOTHING),
            now.decision(r, p, _NOTHING),
            now.decision(r, p, withheld),
        )
        for r, p in pairs
    ]
    right = [now.still_right(row) for row in rows]
    before = [_grade(row, d[0], True) for row, d in zip(rows, decisions, strict=True)]
    drifted, policy = (
        [_grade(r, d[i], ok) for r, d, ok in zip(rows, decisions, right, strict=True)]
        for i in (1, 2)
    )
    flips = tuple(
        Flip(row, route.calls, d[0], d[2], b.exact is False)
        for (row, route), d, b, p in zip(pairs, decisions, before, policy, strict=True)
        if b.exact != p.exact
    )
    return Impact(rows, before, drifted, policy, flips)


class _Checks:
    """The gateway's checks of proposals by one toolset; `drift` is None where it is the trained."""

    def __init__(self, adapter: Adapter, tools: Toolset, drift: Drift | None) -> None:
        self._adapter = adapter
        self._tools = tools.by_name
        self._trained = adapter.toolset.by_name
        self._validators = {tool.name: ToolValidator(tool) for tool in tools.tools}
        self._grade: Callable[[str], DriftGrade] = drift.grade_of if drift else lambda _: "none"

    def decision(self, row: EvalRow, route: Route, withheld: frozenset[DriftGrade]) -> Decision:
        """What the gateway would do with a proposal, at the shipped threshold."""
        checks = [self._check(call, row) for call in route.calls]
        return decide(route, checks, self._adapter.manifest.calibration.threshold, withheld)

    def still_right(self, row: EvalRow) -> bool:
        """Whether the calls that a row wants can be made."""
        return all(
            call.tool in self._tools and not self._validators[call.tool].errors(call.arguments)
            for call in row.calls
        )

    def _check(self, call: Call, row: EvalRow) -> CallCheck:
        live = self._tools.get(call.tool)
        known = live or self._trained.get(call.tool)
        return CallCheck(
            call=call,
            schema=self._validators[call.tool].errors(call.arguments) if live else None,
            grounding=ungrounded(call, known, row.messages) if known else (),
            drift=self._grade(call.tool),
        )


def _grade(row: EvalRow, decision: Decision, right: bool) -> Grade:
    found = grade(row.calls, decision.outcome, decision.calls, row.accept)
    if right:
        return found
    return Grade(found.wanted, found.called, found.valid, False, False)


def _exact(rows: Sequence[EvalRow], grades: Sequence[Grade], tool: str) -> int:
    return sum(
        g.exact
        for row, g in zip(rows, grades, strict=True)
        if row.calls and row.calls[0].tool == tool
    )


def _rate(grades: Sequence[Grade]) -> float:
    return sum(g.exact for g in grades) / len(grades)
