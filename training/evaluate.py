"""Grade base model and adapter on rows, as the gateway would judge their answers (DESIGN 5.7).

Every answer passes the gateway's own parser, validation, grounding and decision, with the
threshold off; wrong calls and coverage are also given at the shipped threshold. This module asks
and puts the report together; `training.evaluation` counts, `training.report_html` shows.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.engines.base import Engine
from gateway.kept import KeptAnswers
from gateway.manifest import Adapter
from gateway.score import Grade, figures, mcnemar
from training.evaluation import breakdown, confidence, failures
from training.evaluation.answers import Answer, Progress, answers
from training.evaluation.confidence import proposals
from training.rows import Row, rows_digest
from training.teacher import Teacher
from training.teacher_column import teacher_answers

__all__ = ["Answer", "Progress", "Teacher", "answers", "evaluate", "proposals"]

Columns = Mapping[str, Mapping[str, Sequence[Answer]]]
"""System (base_model, adapter, teacher) -> decoding (free, constrained) -> an answer a row."""


async def evaluate(
    engine: Engine,
    adapter: Adapter,
    rows: Sequence[Row],
    *,
    base_model: bool = True,
    base_rows: int | None = None,
    free: bool = True,
    teacher: Teacher | None = None,
    progress: Progress | None = None,
    kept: KeptAnswers | None = None,
) -> dict[str, Any]:
    """The report of an adapter on rows; `free`, `base_model` and `teacher` add their columns.

    The base model is shown every schema and, left free, writes until the limit, which takes ten
    times as long. `base_rows` asks it for that many rows alone, drawn with a fixed seed; each of
    its figures gives its own n. `kept` goes on where an earlier run was killed. The caller closes
    the teacher.

    Raises:
        ValueError: there are no rows.
        TeacherFailed: the teacher did not answer every row; it is asked first.
        EngineDown, UnknownModel: the engine cannot complete a prompt.
    """
    if not rows:
        raise ValueError("no rows to evaluate")
    columns: dict[str, dict[str, Sequence[Answer]]] = {}
    if teacher is not None:
        asked = await teacher_answers(teacher, adapter.toolset, rows, progress)
        columns["teacher"] = {"free": asked}
    columns["adapter"] = {
        mode: await answers(
            engine, adapter, rows, constrained=mode == "constrained", progress=progress, kept=kept
        )
        for mode in ("constrained", *(["free"] if free else []))
    }
    if base_model:
        drawn = _drawn(rows, base_rows)
        columns["base_model"] = {
            mode: await answers(
                engine, adapter, drawn, constrained=mode == "constrained", base_model=True,
                progress=progress, kept=kept,
            )
            for mode in ("free", "constrained")
        }  # fmt: skip
    found = report(adapter, rows, columns)
    return found if teacher is None else {**found, "teacher_model": teacher.model}


def report(adapter: Adapter, rows: Sequence[Row], columns: Columns) -> dict[str, Any]:
    """The report of answers that were collected; the adapter's constrained ones must be there.

    All but `base_model`, `teacher`, `mcnemar_*` and `cost` is about those: what is served.
    """
    served = columns["adapter"]["constrained"]
    threshold = adapter.manifest.calibration.threshold
    return {
        "adapter_version": adapter.version,
        "rows": len(rows),
        "data_digest": rows_digest(rows),
        "voices": sorted({row.voice for row in rows}),
        "adapter": {
            "constrained": figures([a.grade() for a in served]),
            "constrained_ungrounded": figures([a.grade(grounding=False) for a in served]),
            "at_threshold": figures([a.grade(threshold) for a in served]),
            **_graded({mode: c for mode, c in columns["adapter"].items() if mode == "free"}),
        },
        **{name: _graded(columns[name]) for name in ("base_model", "teacher") if name in columns},
        **_compared(columns),
        "threshold": threshold,
        "auroc": confidence.separation(served),
        "risk_coverage": confidence.risk_coverage(served),
        "reliability": confidence.reliability(served),
        "per_tool": breakdown.by_group(served, breakdown.tool_group),
        "per_kind": breakdown.by_group(served, lambda a: a.row.kind),
        "per_voice": breakdown.by_group(served, lambda a: a.row.voice),
        "confusion": breakdown.confusion(served, adapter.toolset),
        "arguments": failures.arguments(served),
        "wrong_calls": failures.wrong_calls(served, threshold),
        "missed": failures.missed(served),
        **breakdown.cost(served),
        "cost": {
            name: {mode: breakdown.cost(column) for mode, column in modes.items()}
            for name, modes in columns.items()
        },
    }


def _drawn(rows: Sequence[Row], n: int | None) -> Sequence[Row]:
    """`n` rows in their order, the same ones whenever the rows are; all without `n`."""
    if n is None or n >= len(rows):
        return rows
    return [rows[i] for i in sorted(random.Random(0).sample(range(len(rows)), n))]


def _graded(modes: Mapping[str, Sequence[Answer]]) -> dict[str, Any]:
    return {mode: figures([a.grade() for a in column]) for mode, column in modes.items()}


def _compared(columns: Columns) -> dict[str, Any]:
    """McNemar's test of the adapter (second) against the base model and the teacher (first).

    Each pair is compared on the rows that both were asked for.
    """
    pairs = {
        "mcnemar_free": ("base_model", "free", "free"),
        "mcnemar_constrained": ("base_model", "constrained", "constrained"),
        "mcnemar_teacher": ("teacher", "free", "constrained"),
    }
    return {
        name: mcnemar(*_both(columns[system][mode], columns["adapter"][own]))
        for name, (system, mode, own) in pairs.items()
        if system in columns and own in columns["adapter"]
    }


def _both(
    first: Sequence[Answer], second: Sequence[Answer]
) -> tuple[Sequence[Grade], Sequence[Grade]]:
    asked = {id(answer.row) for answer in first}
    return (
        [answer.grade() for answer in first],
        [answer.grade() for answer in second if id(answer.row) in asked],
    )
