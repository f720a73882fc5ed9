"""Ask an adapter for its evaluation rows, once: its proposals do not depend on what is live.

Prompt and grammar stay those of the trained toolset while tools drift, so the proposals are kept
on disk under the adapter's digest and a second drift is measured without the model.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from gateway.engines.base import Engine
from gateway.errors import ConversationTooLong, PointsmanError
from gateway.impact.rows import EvalRow
from gateway.kept import KeptAnswers
from gateway.manifest import Adapter
from gateway.router import Router
from gateway.types import Route

Progress = Callable[[int, int], None]
"""Told how many rows are done, and of how many."""


def kept_file(folder: Path, adapter: Adapter, rows: int) -> Path:
    """Where an adapter's proposals for so many of its rows are kept beneath a folder."""
    return folder / f"{adapter.digest}-{rows}.jsonl"


def kept_routes(file: Path, rows: Sequence[EvalRow]) -> list[Route | None]:
    """The proposals that are kept for rows, None for those not asked yet.

    Raises:
        PointsmanError: the file is broken.
    """
    kept = _open(file)
    found = [kept.get(str(number)) for number in range(len(rows))]
    return [None if answer is None else answer[0] for answer in found]


async def replay(
    engine: Engine,
    adapter: Adapter,
    rows: Sequence[EvalRow],
    file: Path,
    progress: Progress | None = None,
) -> Sequence[Route]:
    """The proposal for each row; the engine, which has the adapter loaded, is asked for the rest.

    Raises:
        EngineDown, UnknownModel: the engine cannot complete a prompt; what it answered is kept.
        PointsmanError: the proposals cannot be kept.
    """
    kept, router = _open(file), Router(engine)
    found: list[Route] = []
    for number, row in enumerate(rows):
        before = kept.get(str(number))
        if before is None:
            try:
                route = await router.route(row.messages, adapter)
            except ConversationTooLong as exc:
                route = Route(error=str(exc))
            try:
                kept.put(str(number), route, 0.0)
            except OSError as exc:
                raise PointsmanError(f"{file}: {exc.strerror}") from exc
        else:
            route = before[0]
        found.append(route)
        if progress:
            progress(number + 1, len(rows))
    return found


def _open(file: Path) -> KeptAnswers:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return KeptAnswers(file)
    except (OSError, ValueError) as exc:
        raise PointsmanError(f"{file}: {exc}") from exc
