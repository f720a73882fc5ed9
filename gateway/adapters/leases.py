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
        """Take a lease, to be given back once."""
        self._held[version] += 1

    def give(self, version: str) -> None:
        """Give a lease back."""
        self._held[version] -= 1
        if self._held[version] == 0:
            del self._held[version]
            free = self._free.pop(version, None)
            if free is not None:
                free.set()

    async def until_free(self, version: str) -> None:
        """Wait until nobody holds a lease on the version."""
        if self._held[version]:
            await self._free.setdefault(version, asyncio.Event()).wait()
