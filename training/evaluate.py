"""Grade base model and adapter on rows, as the gateway would judge their answers (DESIGN 5.7).

Every answer passes the gateway's own parser, validation, grounding and decision, with the
threshold off; wrong calls and coverage are also given at the shipped threshold.
"""

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway.decide import CallCheck, Decision, decide
from gateway.engines.base import Engine
from gateway.errors import ConversationTooLong
from gateway.ground import ungrounded
from gateway.manifest import Adapter
from gateway.router import Router
from gateway.score import Grade, figures, grade, mcnemar, rate
from gateway.types import Message, Route
from gateway.validate import ToolValidator
from training.calibrate import auroc
from training.rows import Row, rows_digest

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Answer:
    """One row's answer: what the model proposed, and how long it took in seconds."""

    row: Row
    route: Route
    checks: tuple[CallCheck, ...]
    seconds: float

    def decision(self, threshold: float, *, grounding: bool = True) -> Decision:
        """What the gateway would do at a threshold."""
        checks = self.checks
        if not grounding:
            checks = tuple(replace(check, grounding=()) for check in checks)
        return decide(self.route, checks, threshold)

    def grade(self, threshold: float = 0.0, *, grounding: bool = True) -> Grade:
        """How that compares to what the row wants."""
        decision = self.decision(threshold, grounding=grounding)
        return grade(self.row.calls, decision.outcome, decision.calls, self.row.accept)


async def answers(
    engine: Engine,
    adapter: Adapter,
    rows: Sequence[Row],
    *,
    constrained: bool,
    base_model: bool = False,
    progress: Progress | None = None,
) -> list[Answer]:
    """Ask for every row. The adapter must be loaded in the engine under its version."""
    router = Router(engine)
    validators = {tool.name: ToolValidator(tool) for tool in adapter.toolset.tools}
    found: list[Answer] = []
    label = f"{'base model' if base_model else 'adapter'}, {'grammar' if constrained else 'free'}"
    for number, row in enumerate(rows, 1):
        started = time.perf_counter()
        try:
            route = await router.route(
                row.messages, adapter, constrained=constrained, base_model=base_model
            )
        except ConversationTooLong as exc:
            route = Route(error=str(exc))
        seconds = time.perf_counter() - started
        checks = tuple(_check(call, adapter, validators, row.messages) for call in route.calls)
        found.append(Answer(row, route, checks, seconds))
        if progress:
            progress(label, number, len(rows))
    return found


def _check(
    call: Any,
    adapter: Adapter,
    validators: dict[str, ToolValidator],
    messages: Sequence[Message],
) -> CallCheck:
    tool = adapter.toolset.by_name.get(call.tool)
    if tool is None:
        return CallCheck(call, None)
    return CallCheck(
        call, validators[call.tool].errors(call.arguments), ungrounded(call, tool, messages)
    )


async def evaluate(
    engine: Engine,
    adapter: Adapter,
    rows: Sequence[Row],
    *,
    base_model: bool = True,
    free: bool = True,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The report of an adapter on rows; `free` and `base_model` add their columns.

    Raises:
        ValueError: there are no rows.
    """
    if not rows:
        raise ValueError("no rows to evaluate")
    threshold = adapter.manifest.calibration.threshold
    served = await answers(engine, adapter, rows, constrained=True, progress=progress)
    report: dict[str, Any] = {
        "adapter_version": adapter.version,
        "rows": len(rows),
        "data_digest": rows_digest(rows),
        "voices": sorted({row.voice for row in rows}),
        "adapter": {
            "constrained": figures([a.grade() for a in served]),
            "constrained_ungrounded": figures([a.grade(grounding=False) for a in served]),
            "at_threshold": figures([a.grade(threshold) for a in served]),
        },
        "threshold": threshold,
        "auroc": _auroc(served),
        "per_tool": _by(served, lambda a: a.row.calls[0].tool if a.row.calls else "no_tool"),
        "per_kind": _by(served, lambda a: a.row.kind),
        "per_voice": _by(served, lambda a: a.row.voice),
        "wrong_calls": [_shown(a, threshold) for a in served if a.grade().wrong],
        "latency_ms": _latency(served),
        "prompt_tokens": statistics.mean(a.route.usage.prompt_tokens for a in served),
        "completion_tokens": statistics.mean(a.route.usage.completion_tokens for a in served),
    }
    if free:
        found = await answers(engine, adapter, rows, constrained=False, progress=progress)
        report["adapter"]["free"] = figures([a.grade() for a in found])
    if base_model:
        base: dict[str, list[Answer]] = {
            name: await answers(
                engine, adapter, rows, constrained=name == "constrained", base_model=True,
                progress=progress,
            )
            for name in ("free", "constrained")
        }  # fmt: skip
        report["base_model"] = {
            name: figures([a.grade() for a in graded]) for name, graded in base.items()
        }
        report["mcnemar_constrained"] = mcnemar(
            [a.grade() for a in base["constrained"]], [a.grade() for a in served]
        )
    return report


def proposals(found: Sequence[Answer]) -> list[tuple[float, bool]]:
    """(log-probability, was right) of every call that only the threshold could withhold."""
    return [
        (a.route.logprob, a.grade().exact)
        for a in found
        if a.route.logprob is not None and a.decision(0.0).outcome == "call"
    ]


def _auroc(found: Sequence[Answer]) -> float | None:
    value = auroc(proposals(found))
    return None if value is None else round(value, 4)


def _by(found: Sequence[Answer], key: Callable[[Answer], str]) -> dict[str, Any]:
    groups: dict[str, list[Answer]] = defaultdict(list)
    for answer in found:
        groups[key(answer)].append(answer)
    return {
        name: rate(sum(a.grade().exact for a in group), len(group))
        for name, group in sorted(groups.items())
    }


def _shown(answer: Answer, threshold: float) -> dict[str, Any]:
    """A silent failure: valid, and wrong."""
    decision = answer.decision(0.0)
    return {
        "request": answer.row.text,
        "wanted": dict(answer.row.target),
        "called": [call.as_dict() for call in decision.calls],
        "confidence": round(answer.route.confidence or 0.0, 4),
        "withheld_at_threshold": answer.decision(threshold).outcome != "call",
    }


def _latency(found: Sequence[Answer]) -> dict[str, float]:
    times = sorted(answer.seconds * 1000 for answer in found)
    return {
        "p50": round(statistics.median(times), 1),
        "p95": round(times[min(len(times) - 1, int(0.95 * len(times)))], 1),
    }
