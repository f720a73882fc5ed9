"""Follows the revision of the wanted state, which other gateways over the same records change too.

Whoever holds a part of the state in memory reads it again when the revision has moved. The
database's one thread answers in order: a part that reads with one await and then assigns is never
set back behind what it has written itself. Knows no part; they stand above.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import suppress

from gateway.errors import EngineDown
from gateway.records.wanted_state import WantedState

logger = logging.getLogger(__name__)

Follow = Callable[[], Awaitable[None]]


class Following:
    """Looks at the revision every `every_s` seconds."""

    def __init__(self, state: WantedState, every_s: float) -> None:
        self._state = state
        self._every_s = every_s
        self._seen: int | None = None
        self._parts: list[Follow] = []
        self._task: asyncio.Task[None] | None = None
        self._is_failing = False

    def on_change(self, follow: Follow) -> None:
        """Have a part of the state read again whenever the revision has moved."""
        self._parts.append(follow)

    def start(self) -> None:
        """Begin to follow."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Follow no more; idempotent."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def look(self) -> None:
        """Look once. Records that cannot be read, and an engine that is down, are tried again
        with the next look."""
        try:
            revision = await self._state.revision()
            if revision == self._seen:
                return
            for follow in self._parts:
                await self._told(follow)
        except (sqlite3.Error, EngineDown) as exc:
            if not self._is_failing:
                logger.error(
                    "the wanted state cannot be followed: %s", exc,
                    extra={"event": "state_not_followed", "reason": str(exc)},
                )  # fmt: skip
            self._is_failing = True
        else:
            self._seen, self._is_failing = revision, False

    async def _run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(self._every_s)

    async def _told(self, follow: Follow) -> None:
        try:
            await follow()
        except (sqlite3.Error, EngineDown):
            raise
        except Exception:
            # What one part cannot read must not keep the others from following.
            logger.exception("a part of the wanted state was not followed")
