"""The servers registered at run time, as they are kept: those of earlier runs, and those that
another gateway over the same records registered or removed.

Follows what is kept and writes nothing. Above stands the composition root; below, the watch.
"""

import logging
from collections.abc import Mapping
from typing import Any, Protocol

from pydantic import ValidationError

from gateway.config import ServerConfig
from gateway.toolsets.watch import Watch

logger = logging.getLogger(__name__)


class Kept(Protocol):
    """Keeps the configurations of servers, as the records do."""

    async def servers(self) -> list[dict[str, Any]]: ...


class Registered:
    """Brings a watch to the servers that are kept."""

    def __init__(self, watch: Watch, kept: Kept) -> None:
        self._watch = watch
        self._kept = kept
        self._seen: Mapping[str, Any] = {}

    async def follow(self) -> None:
        """Take in what came since the last look, and let go of what went."""
        kept = {value["name"]: value for value in await self._kept.servers()}
        before, self._seen = self._seen, kept
        # A server that was never seen here is one that is being registered now: it stays.
        for name in [name for name, value in before.items() if kept.get(name) != value]:
            await self._watch.release(name)
        for name, value in kept.items():
            if before.get(name) != value:
                self._take_in(name, value)

    def _take_in(self, name: str, value: Any) -> None:
        if any(upstream.config.stored() == value for upstream in self._watch.upstreams):
            return  # it was registered here
        try:
            self._watch.restore(ServerConfig.model_validate(value))
        except ValidationError as exc:
            logger.error(
                "registered server %s cannot be taken in: %s problems", name, exc.error_count()
            )
