"""Unloading of versions that nobody needs any more, in the background.

A version goes once the grace time is over (agents' requests may still be on their way to an engine
that others share), its last request has its reply, and it is still not needed. Above stands the
swap, which says what is needed.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from gateway.adapters.leases import Leases
from gateway.engines.base import Engine
from gateway.errors import PointsmanError

logger = logging.getLogger(__name__)


class Retirement:
    """Unloads versions after a while. `grace_s` is in seconds."""

    def __init__(
        self,
        engine: Engine,
        leases: Leases,
        is_needed: Callable[[str], bool],
        changing: asyncio.Lock,
        grace_s: float,
    ) -> None:
        """`changing` is held while versions are brought up, which an unloading must not cross."""
        self._engine = engine
        self._leases = leases
        self._is_needed = is_needed
        self._changing = changing
        self._grace_s = grace_s
        self._closing = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def soon(self, version: str) -> None:
        """Unload a version when it may go; one that comes back into use stays."""
        task = asyncio.get_running_loop().create_task(self._retire(version))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def unload(self, version: str) -> None:
        """Unload a version now if nobody asks it, else soon. The caller holds `changing`."""
        if self._leases.held(version):
            self.soon(version)
        else:
            await self._forget(version)

    async def settled(self) -> None:
        """Wait until every unloading under way has come to its end."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def close(self) -> None:
        """Cut the grace times short and finish; idempotent. Requests must have their replies."""
        self._closing.set()
        await self.settled()

    async def _retire(self, version: str) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), self._grace_s)
        await self._leases.until_free(version)
        async with self._changing:
            # It may have come back meanwhile, and gone again: then a later task unloads it.
            if not self._is_needed(version) and not self._leases.held(version):
                await self._forget(version)

    async def _forget(self, version: str) -> None:
        try:
            await self._engine.unload(version)
        except PointsmanError as exc:
            logger.warning("adapter %s was not unloaded: %s", version, exc)
