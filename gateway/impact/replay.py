"""Ask an adapter for its evaluation rows, once: its proposals do not depend on what is live.

Prompt and grammar stay those of the trained toolset while tools drift, so the proposals are kept
on disk under the adapter's digest and a second drift is measured without the model.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from gateway.engines.base import Engine
from gateway.errors import PointsmanError
from gateway.impact.rows import EvalRow
from gateway.kept import KeptAnswers, answered
from gateway.manifest import Adapter
from gateway.router import Router
from gateway.types import Route

Progress = Callable[[int, int], None]
"""Told how many rows are done, and of how many."""


def kept_proposals(folder: Path, adapter: Adapter, rows: int) -> KeptAnswers:
    """What is kept beneath a folder of an adapter's proposals for so many of its rows.

    Raises:
        PointsmanError: it cannot be read or is broken; names the file.
    """
    file = folder / f"{adapter.digest}-{rows}.jsonl"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return KeptAnswers(file)
    except (OSError, ValueError) as exc:
        raise PointsmanError(f"{file}: {exc}") from exc


def kept_routes(kept: KeptAnswers, rows: Sequence[EvalRow]) -> list[Route | None]:
    """The proposals that are kept for rows, None for those not asked yet."""
    found = [kept.get(str(number)) for number in range(len(rows))]
    return [None if answer is None else answer[0] for answer in found]


async def replay(
    engine: Engine,
    adapter: Adapter,
    rows: Sequence[EvalRow],
    kept: KeptAnswers,
    progress: Progress | None = None,
) -> Sequence[Route]:
    """The proposal for each row; the engine, which has the adapter loaded, is asked for the rest.

    Raises:
        EngineDown, UnknownModel: the engine cannot complete a prompt; what it answered is kept.
        PointsmanError: the proposals cannot be kept.
    """
    found: list[Route] = []
    for number in range(len(rows)):
        found.append(await proposal(engine, adapter, rows, number, kept))
        if progress:
            progress(number + 1, len(rows))
    return found


async def proposal(
    engine: Engine, adapter: Adapter, rows: Sequence[EvalRow], number: int, kept: KeptAnswers
) -> Route:
    """The proposal for one row, by its number: the kept one, or else the engine's. Raises as
    `replay`."""
    try:
        route, _ = await answered(Router(engine), rows[number].messages, adapter, kept, str(number))
    except OSError as exc:
        raise PointsmanError(f"proposals cannot be kept: {exc}") from exc
    return route
