"""Requests under way by version, so that no version is unloaded while it is asked.

Knows versions and counts alone. A lease is taken in the same step that resolves a request, without
an await between them, and given back with the reply.
"""

import asyncio
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager


class Leases:
    """Counts the leases on each version. For one event loop."""

    def __init__(self) -> None:
        self._held: Counter[str] = Counter()
        self._free: dict[str, asyncio.Event] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self.taken = 0

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way with any version."""
        return self._idle.is_set()

    def held(self, version: str) -> int:
        """How many requests are under way with a version."""
        return self._held[version]

    @contextmanager
    def hold(self, version: str) -> Generator[None]:
        """Hold a lease for the length of the block."""
        self.take(version)
        try:
            yield
        finally:
            self.give(version)

    def take(self, version: str) -> None:
        """Take a lease, to be given back once. `taken` counts them."""
        self._held[version] += 1
        self.taken += 1
        self._idle.clear()

    def give(self, version: str) -> None:
        """Give a lease back."""
        self._held[version] -= 1
        if self._held[version] == 0:
            del self._held[version]
            if not self._held:
                self._idle.set()
            free = self._free.pop(version, None)
            if free is not None:
                free.set()

    async def until_idle(self) -> None:
        """Wait until nobody holds any lease."""
        await self._idle.wait()

    async def until_free(self, version: str) -> None:
        """Wait until nobody holds a lease on the version."""
        if self._held[version]:
            await self._free.setdefault(version, asyncio.Event()).wait()
