"""Adapters as the records have them: stored, in service and on trial, whichever gateway did it.

Follows what is kept and writes nothing: what another gateway over the same records activated is
loaded into this one's engine and answers here too. Above stands the composition root; below, the
store and the swap.
"""

import logging
from collections.abc import Mapping
from typing import Any

from gateway.adapters.store import AdapterStore
from gateway.adapters.swap import Swap
from gateway.adapters.trial import Trial
from gateway.errors import AdapterRefused, EngineDown
from gateway.manifest import Adapter
from gateway.records import Records

logger = logging.getLogger(__name__)


def trial_of(kept: Mapping[str, Any], stored: Mapping[str, Adapter]) -> Trial | None:
    """The trial of a row of `Records.active`; its counts begin anew. None without one, or if its
    version is not stored here."""
    value = kept.get("trial")
    if value is None:
        return None
    if value["version"] not in stored:
        logger.warning("the trial of adapter %s ends: it is not stored", value["version"])
        return None
    return Trial.of(value, stored[value["version"]])


class Followed:
    """Brings store and swap to what is kept."""

    def __init__(self, records: Records, store: AdapterStore, swap: Swap) -> None:
        self._records = records
        self._store = store
        self._swap = swap
        self._missing: set[str] = set()

    async def follow(self) -> None:
        """Take over what has changed.

        Raises:
            EngineDown: the engine cannot load a version now; the rest was taken over.
        """
        for reason in await self._store.follow():
            logger.error("a stored adapter is left out: %s", reason)
        down: EngineDown | None = None
        for name, row in (await self._records.active()).items():
            previous = row["previous"] if row["previous"] in self._store.adapters else None
            if self._swap.differs(name, {**row, "previous": previous}):
                down = await self._take_over(name, row) or down
        if down is not None:
            raise down

    async def _take_over(self, name: str, row: Mapping[str, Any]) -> EngineDown | None:
        stored = self._store.adapters
        version = row["version"]
        if version not in stored:
            if version not in self._missing:
                self._missing.add(version)
                logger.warning("adapter %s is in service but is not stored here", version)
            return None
        trial = self._swap.trial(name)
        if trial is None or trial.as_dict() != row.get("trial"):
            trial = trial_of(row, stored)
        previous = stored.get(row["previous"])
        try:
            await self._swap.restore(stored[version], row["toolset"], previous, trial, row)
        except AdapterRefused as exc:
            if isinstance(exc.__cause__, EngineDown):
                return exc.__cause__
            logger.error(
                "adapter %s cannot be followed: %s", version, exc,
                extra={"event": "adapter_not_followed", "adapter": version, "reason": str(exc)},
            )  # fmt: skip
        return None
