"""A run: ask the teacher for every task of a plan, judge each answer, and write it down.

    plan -> strategy -> teacher -> gate -> journal

`generate` names the steps and decides only what a missing answer means: a task that the teacher
refuses, or whose answer holds no row, is noted as failed and comes last in the next run; so many in
a row that it cannot be chance end this one. Whatever ends a run, what it has written stays, and the
next one goes on from there.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.fingerprint import FINGERPRINT_DIGITS, digest
from gateway.types import Toolset, Usage
from training.completion import Answer
from training.generate.gate import Gate, Gated, NoRows, Refused
from training.generate.journal import Entry, Journal, sole
from training.generate.plan import Plan, Task
from training.generate.strategy import strategy
from training.generate.summary import Prices, Summary
from training.rows import read_rows
from training.teacher import TaskRefused, Teacher, TeacherError

PATIENCE = 3
"""As many tasks without a row, one after the other, end a run."""

Progress = Callable[[Summary], None]


async def generate(
    toolset: Toolset,
    plan: Plan,
    teacher: Teacher,
    out: Path,
    *,
    conventions: str = "",
    limit: int | None = None,
    prices: Prices | None = None,
    progress: Progress = lambda _: None,
) -> Summary:
    """Fill the folder `out` with the rows of a plan, or of its first `limit` tasks.

    `progress` is called at the beginning and after every answer.

    Raises:
        TeacherError: the teacher fails for good, or its answers hold no rows.
        JournalError: the folder belongs to another run, another process is at it, or it cannot be
            written.
        RowError: a row of an earlier run was spoilt.
        SchemaError: a tool's schema cannot be used.
    """
    with sole(out):
        journal = Journal(out, _identity(toolset, plan, conventions))
        gate = Gate(toolset, read_rows(journal.rows_file, toolset) if journal.rows else ())
        tasks = plan.tasks[:limit]
        run = _Run(toolset, tasks, conventions, teacher, gate, journal, prices, progress)
        progress(run.summary())
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(teacher.concurrency):
                    group.create_task(run.work())
        except ExceptionGroup as exc:
            # The first ended the run; what the others met while they were called off says no more.
            raise exc.exceptions[0] from None
        return run.summary()


@dataclass
class _Run:
    """What the steps need, and how many tasks in a row got no row."""

    toolset: Toolset
    tasks: Sequence[Task]
    conventions: str
    teacher: Teacher
    gate: Gate
    journal: Journal
    prices: Prices | None
    progress: Progress
    left: deque[Task] = field(init=False)
    in_vain: int = 0

    def __post_init__(self) -> None:
        """What is left to ask; those that failed before last, so that they end no run early."""
        left = [task for task in self.tasks if task.id not in self.journal.done]
        self.left = deque(sorted(left, key=lambda task: task.id in self.journal.failed))

    async def work(self) -> None:
        """Take one task after the other, beside others that do the same."""
        try:
            while self.left:
                await self.one(self.left.popleft())
        finally:
            # Where one ends with an error, the others begin nothing more.
            self.left.clear()

    async def one(self, task: Task) -> None:
        """Ask for one task, and write down what came of it."""
        try:
            answer = await self.teacher.ask(strategy(self.toolset, task, self.conventions))
        except TaskRefused as exc:
            self.note(task, Usage(), *_nothing("no_answer", exc.fault))
        else:
            self.note(task, answer.usage, *self.judged(answer, task))

    def judged(self, answer: Answer, task: Task) -> tuple[Gated, str | None]:
        """What an answer holds, and why it holds nothing if so."""
        try:
            return self.gate(answer.text, task), None
        except NoRows as exc:
            why = f"{exc} (finish_reason {answer.ended})" if answer.ended else str(exc)
            return _nothing("no_rows", why, answer.text)

    def note(self, task: Task, usage: Usage, gated: Gated, failed: str | None) -> None:
        """Write down what came of a task.

        Nothing is awaited between an answer and this, so that answers are judged and written one
        at a time.
        """
        entry = Entry(
            task=task.id,
            model=self.teacher.model,
            rows=len(gated.rows),
            rejected=len(gated.refused),
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            failed=failed,
        )
        self.journal.record(entry, gated.rows, gated.refused)
        self.progress(self.summary())
        self.in_vain = self.in_vain + 1 if failed else 0
        if self.in_vain == PATIENCE:
            model = self.teacher.model
            raise TeacherError(f"{PATIENCE} answers in a row hold no rows; {model} {failed}")

    def summary(self) -> Summary:
        """How far the folder is."""
        ids = {task.id for task in self.tasks}
        usage = self.journal.usage
        return Summary(
            tasks=len(ids),
            done=len(ids & self.journal.done),
            failed=len(ids & self.journal.failed),
            rows=self.journal.rows,
            rejected=dict(sorted(self.journal.rejected.items())),
            usage=usage,
            cost=self.prices.cost(usage) if self.prices else None,
        )


def _nothing(code: str, why: str, raw: str = "") -> tuple[Gated, str]:
    return Gated((), (Refused(code, why, raw),)), why


def _identity(toolset: Toolset, plan: Plan, conventions: str) -> dict[str, Any]:
    """What the rows of one folder have in common."""
    return {
        "toolset": toolset.fingerprint[:FINGERPRINT_DIGITS],
        "seed": plan.seed,
        "plan": plan.digest[:FINGERPRINT_DIGITS],
        "conventions": digest(conventions.strip())[:FINGERPRINT_DIGITS],
    }
