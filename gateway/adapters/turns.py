"""When the gateway may ask its own engine for itself: only where no agent waits for it, or rarely.

An engine answers one prompt after another, or shares its time among several. So a turn comes once
no request has been under way for a while, and under constant load one comes all the same from time
to time: an agent waits behind one of them at most. Knows leases alone, not what is asked.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from gateway.adapters.leases import Leases


class Turns:
    """Gives turns, one at a time. For one who asks."""

    def __init__(self, leases: Leases, quiet_s: float, every_s: float) -> None:
        """A turn comes after `quiet_s` seconds without a request, or at the latest after
        `every_s`."""
        self._leases = leases
        self._quiet_s = quiet_s
        self._every_s = every_s
        self._taken: int | None = None

    @asynccontextmanager
    async def turn(self, version: str) -> AsyncGenerator[None]:
        """Wait for a turn, and keep a version loaded while it lasts."""
        # Where nobody has come since the last turn began, the quiet goes on.
        if not (self._leases.is_idle and self._leases.taken == self._taken):
            with suppress(TimeoutError):
                async with asyncio.timeout(self._every_s):
                    await self._quiet()
        with self._leases.hold(version):
            self._taken = self._leases.taken
            yield

    async def _quiet(self) -> None:
        while True:
            await self._leases.until_idle()
            taken = self._leases.taken
            await asyncio.sleep(self._quiet_s)
            if self._leases.is_idle and self._leases.taken == taken:
                return
