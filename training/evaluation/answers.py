"""Ask for every row, and judge each answer as the gateway would.

An answer passes the gateway's own parser, validation, grounding and decision; which threshold
counts is chosen when it is graded. Below stand router and engine; above, the figures.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway.checks import ToolsetChecks
from gateway.decide import CallCheck, Decision, decide
from gateway.engines.base import Engine
from gateway.fingerprint import digest
from gateway.kept import KeptAnswers, answered
from gateway.manifest import Adapter
from gateway.router import Router
from gateway.score import Grade, grade
from gateway.types import Route, Toolset
from training.rows import Row, row_json

Progress = Callable[[str, int, int], None]
"""Told what is asked, how many rows are done, and of how many."""


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


class Judge:
    """The gateway's checks of one toolset, for whoever proposed the calls."""

    def __init__(self, toolset: Toolset) -> None:
        """Compile the validators. Raises SchemaError for a schema that cannot be used."""
        self._checks = ToolsetChecks(toolset)

    def answer(self, row: Row, route: Route, seconds: float) -> Answer:
        """A route with what the checks say of each of its calls."""
        checks = tuple(self._checks.check(call, row.messages) for call in route.calls)
        return Answer(row, route, checks, seconds)


async def answers(
    engine: Engine,
    adapter: Adapter,
    rows: Sequence[Row],
    *,
    constrained: bool,
    base_model: bool = False,
    progress: Progress | None = None,
    kept: KeptAnswers | None = None,
) -> list[Answer]:
    """Ask for every row. The adapter must be loaded in the engine under its version.

    A `varied` adapter is asked about the tools that a row carries, as it was trained. What `kept`
    holds already is not asked again.

    Raises:
        EngineDown, UnknownModel: the engine cannot complete a prompt.
    """
    router, own = Router(engine), Judge(adapter.toolset)
    found: list[Answer] = []
    label = f"{'base model' if base_model else 'adapter'}, {'grammar' if constrained else 'free'}"
    identity = [label, *_identity(adapter), await engine.weights_digest()] if kept else []
    for number, row in enumerate(rows, 1):
        asked = adapter.offering(row.offered)
        judge = own if asked is adapter else Judge(asked.toolset)
        key = digest([*identity, row_json(row)]) if kept else ""
        route, seconds = await answered(
            router, row.messages, asked, kept, key,
            constrained=constrained, base_model=base_model,
        )  # fmt: skip
        found.append(judge.answer(row, route, seconds))
        if progress:
            progress(label, number, len(rows))
    return found


def _identity(adapter: Adapter) -> Sequence[Any]:
    """What an adapter's answers depend on; its digest also covers when it was written."""
    weights = hashlib.sha256((adapter.folder / "adapter_model.safetensors").read_bytes())
    manifest = adapter.manifest.model_dump(mode="json", include={"prompt", "calibration"})
    return weights.hexdigest(), manifest, adapter.toolset.fingerprint
