"""Measures in the background what a warned drift costs, so that the figure joins the warning.

The rows that the drifted adapter carries are asked of the gateway's own engine, as a request is and
in the turns that agents leave. The answers are kept on disk: they do not depend on what is live, so
that a measurement goes on after a stop, and a second drift needs no engine. One measurement runs at
a time; it ends when its drift holds no more. Above stand those who are told; below, the replay.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from gateway.adapters.leases import Leases
from gateway.adapters.measured import Mark, Measured, mark_of
from gateway.adapters.notice import DriftNotices, Notice
from gateway.adapters.turns import Turns
from gateway.config import MeasureConfig
from gateway.drift import DriftGrade
from gateway.engines.base import Engine
from gateway.errors import EngineDown, PointsmanError
from gateway.impact.figure import Impact, impact_of
from gateway.impact.replay import kept_proposals, kept_routes, proposal
from gateway.impact.rows import EvalRow, read_eval_rows, spread
from gateway.kept import KeptAnswers
from gateway.observe import Metrics

logger = logging.getLogger(__name__)
_TRIES = 20


@dataclass(slots=True)
class Progress:
    """How far a measurement is: rows asked of all, and why it was given up, if it was."""

    asked: int = 0
    of: int = 0
    failed: str | None = None


class Measuring:
    """Measures every drift that was warned of and still holds."""

    def __init__(
        self,
        config: MeasureConfig,
        engine: Engine,
        leases: Leases,
        notices: DriftNotices,
        metrics: Metrics,
    ) -> None:
        self._config = config
        self._engine = engine
        self._turns = Turns(leases, config.quiet_s, config.every_s)
        self._notices = notices
        self._metrics = metrics.impact
        self._found: dict[str, Measured] = {}
        self._progress: dict[Mark, Progress] = {}
        self._joined: set[tuple[str, str]] = set()
        self._told: list[Callable[[Measured], None]] = []
        self._changed = asyncio.Event()
        self._at_rest = asyncio.Event()
        self._at_rest.set()
        self._task: asyncio.Task[None] | None = None
        notices.on_change(self._look)

    def on_measured(self, told: Callable[[Measured], None]) -> None:
        """Call `told` once with the figure of every warning."""
        self._told.append(told)

    def found(self, version: str) -> Measured | None:
        """What the drift that a version has now costs; None if that is not known (yet)."""
        return self._found.get(version)

    def progress(self, version: str) -> Progress | None:
        """How far the measurement of a version's drift is; None before it begins."""
        notice = self._notices.current(version)
        return self._progress.get(mark_of(notice)) if notice else None

    def start(self) -> None:
        """Begin to measure."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def settled(self) -> None:
        """Wait until no drift is left to be measured."""
        await self._at_rest.wait()

    async def close(self) -> None:
        """Measure no more; what was answered is kept. Idempotent."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def _look(self) -> None:
        """Take back the figures of drifts that hold no more."""
        marks = {notice.adapter.version: mark_of(notice) for notice in self._notices.standing}
        for version, found in list(self._found.items()):
            if marks.get(version) != found.mark:
                del self._found[version]
                self._metrics.forget(version)
        holding = set(marks.values())
        self._progress = {m: p for m, p in self._progress.items() if m in holding}
        if self._next() is not None:
            self._at_rest.clear()
            self._changed.set()

    async def _run(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            while (notice := self._next()) is not None:
                await self._attempt(notice)
            self._at_rest.set()

    def _next(self) -> Notice | None:
        """A drift that holds, was not measured, and not given up."""
        for notice in self._notices.standing:
            progress = self._progress.get(mark_of(notice))
            given_up = progress is not None and progress.failed is not None
            if notice.adapter.version not in self._found and not given_up:
                return notice
        return None

    def _holds(self, notice: Notice) -> bool:
        return mark_of(notice) in map(mark_of, self._notices.standing)

    async def _attempt(self, notice: Notice) -> None:
        progress = self._progress[mark_of(notice)] = Progress()
        try:
            impact = await self._measure(notice, progress)
        except PointsmanError as exc:
            progress.failed = str(exc)
            logger.warning(
                "the drift of adapter %s is not measured: %s", notice.adapter.version, exc,
                extra={"event": "drift_not_measured", "adapter": notice.adapter.version,
                       "live_fingerprint": notice.live.fingerprint, "reason": str(exc)},
            )  # fmt: skip
        except Exception:
            progress.failed = "the gateway failed; its log says why"
            logger.exception("the drift of adapter %s is not measured", notice.adapter.version)
        else:
            if impact is not None and self._holds(notice):
                self._tell(Measured(notice, impact))

    async def _measure(self, notice: Notice, progress: Progress) -> Impact | None:
        """The figure of a drift; None if it holds no more."""
        adapter = notice.adapter
        rows, kept = await asyncio.to_thread(self._prepared, notice)
        routes = kept_routes(kept, rows)
        progress.asked, progress.of = sum(route is not None for route in routes), len(rows)
        for number, route in enumerate(routes):
            if route is None:
                if not await self._ask(notice, rows, number, kept):
                    return None
                progress.asked += 1
        found = [route for route in kept_routes(kept, rows) if route is not None]
        masked = frozenset[DriftGrade](
            item.grade for item in notice.drift.tools if item.tool in notice.masked
        )
        return await asyncio.to_thread(
            impact_of, adapter, notice.live, notice.drift, masked, rows, found
        )

    def _prepared(self, notice: Notice) -> tuple[Sequence[EvalRow], KeptAnswers]:
        rows = spread(read_eval_rows(notice.adapter), self._config.rows)
        return rows, kept_proposals(self._config.folder, notice.adapter, len(rows))

    async def _ask(
        self, notice: Notice, rows: Sequence[EvalRow], number: int, kept: KeptAnswers
    ) -> bool:
        """Ask one row in a turn, again while the engine is down. False if the drift holds no
        more."""
        adapter = notice.adapter
        for attempt in range(1, _TRIES + 1):
            async with self._turns.turn(adapter.version):
                if not self._holds(notice):
                    return False
                try:
                    await proposal(self._engine, adapter, rows, number, kept)
                    return True
                except EngineDown:
                    if attempt == _TRIES:
                        raise
            await asyncio.sleep(self._config.every_s)
        raise AssertionError("the last attempt raises")

    def _tell(self, found: Measured) -> None:
        notice = found.notice
        self._found[notice.adapter.version] = found
        self._metrics.tell(notice.adapter.version, found.impact.as_dict(0))
        if notice.key in self._joined:
            return
        self._joined.add(notice.key)
        level = logging.WARNING if found.impact.flips else logging.INFO
        logger.log(level, "%s", found.summary, extra={**found.as_dict(), "detail": found.detail})
        for told in self._told:
            try:
                told(found)
            except Exception:
                # Whoever listens must not cost the others the figure.
                logger.exception("a listener failed on the figure of a drift")
