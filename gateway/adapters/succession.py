"""Which version serves, which served before and which is on trial; kept, so that it survives.

Every change is two steps: keep it in the records, then one assignment in the alias table. Changes
run one after another and none of them waits for an engine. Above stands the swap, which brings
versions up and unloads them.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from gateway.adapters.active import Active, ActiveAdapters
from gateway.adapters.trial import Trial
from gateway.errors import AdapterRefused, Conflict, UnknownAdapter
from gateway.manifest import Adapter
from gateway.records import Records

logger = logging.getLogger(__name__)

Before = tuple[Adapter, str]
"""A version that served before, and its toolset."""


class Succession:
    """Changes what is in service. A change returns the entry that is in service after it."""

    def __init__(
        self, active: ActiveAdapters, records: Records, on_dropped: Callable[[str], None]
    ) -> None:
        """`on_dropped` is told each version that a change leaves without use."""
        self._active = active
        self._records = records
        self._on_dropped = on_dropped
        self._before: dict[str, Before] = {}
        self._unkept: set[str] = set()
        self._one_at_a_time = asyncio.Lock()

    def previous(self, name: str) -> str | None:
        """The version that a rollback would bring back."""
        found = self._before.get(name)
        return found[0].version if found else None

    def use_of(self, version: str) -> str | None:
        """What a version is needed for; None if it may be unloaded once its requests are done."""
        name = version.partition("@")[0]
        active, trial = self._active.get(name), self._active.trial(name)
        if active is not None and active.adapter.version == version:
            return "in service"
        if trial is not None and trial.adapter.version == version:
            return "on trial"
        return "kept for a rollback" if self.previous(name) == version else None

    def in_service(self, name: str) -> Active:
        """The entry in service. Raises UnknownAdapter."""
        active = self._active.get(name)
        if active is None:
            raise UnknownAdapter(f"no adapter {name!r} is in service")
        return active

    def differs(self, name: str, kept: Mapping[str, Any]) -> bool:
        """Whether what is in service under a name is not what the records have, in the form of
        `Records.active`; a rollback that could not be kept goes before them."""
        active, trial = self._active.get(name), self._active.trial(name)
        if active is None:
            return True
        here: dict[str, Any] = {
            "version": active.adapter.version,
            "previous": self.previous(name),
            "toolset": active.toolset,
        }
        return name not in self._unkept and kept != here | (
            {} if trial is None else {"trial": trial.as_dict()}
        )

    async def take_up(
        self,
        adapter: Adapter,
        toolset: str,
        before: Before | None,
        trial: Trial | None,
        kept: Mapping[str, Any] | None = None,
    ) -> Active | None:
        """What the records have comes into service here; nothing is kept.

        With `kept` only if they have nothing else meanwhile; else returns None.
        """
        async with self._one_at_a_time:
            if kept is not None:
                if (await self._records.active()).get(adapter.name) != kept:
                    return None
                if not self.differs(adapter.name, kept):
                    return self.in_service(adapter.name)  # it was done here meanwhile
            return self._flip(adapter, toolset, before, trial)

    def refuse_trial(self, adapter: Adapter) -> None:
        """Raises UnknownAdapter or Conflict if a version cannot go on trial."""
        active, trial = self.in_service(adapter.name), self._active.trial(adapter.name)
        if active.adapter.version == adapter.version:
            raise Conflict(f"adapter {adapter.version} is in service already")
        if trial is not None:
            raise Conflict(
                f"adapter {trial.adapter.version} is on trial; promote it or roll it back first"
            )

    async def take_over(self, adapter: Adapter, toolset: str) -> Active:
        """A version comes into service; what served is the version before, and a trial ends.

        Raises:
            AdapterRefused: it cannot be kept. Nothing has changed.
        """
        async with self._one_at_a_time:
            return await self._take_over(adapter, toolset)

    async def begin(self, trial: Trial) -> None:
        """A trial begins. Raises UnknownAdapter and Conflict, and AdapterRefused as `take_over`."""
        async with self._one_at_a_time:
            self.refuse_trial(trial.adapter)
            active = self.in_service(trial.adapter.name)
            before = self._before.get(trial.adapter.name)
            await self._keep(active.adapter, active.toolset, before, trial)
            self._flip(active.adapter, active.toolset, before, trial)

    async def promote(self, name: str, trial: Trial | None = None) -> Active:
        """The version on trial comes into service; `trial` says which trial is meant.

        Raises:
            UnknownAdapter: nothing of that name is in service.
            Conflict: no trial, or another one, is under way.
            AdapterRefused: as `take_over`; the trial goes on.
        """
        async with self._one_at_a_time:
            active, tried = self.in_service(name), self._under_way(name, trial)
            return await self._take_over(tried.adapter, active.toolset)

    async def end_trial(self, name: str, trial: Trial | None = None) -> Active:
        """The version on trial goes. Raises UnknownAdapter and Conflict as `promote`."""
        async with self._one_at_a_time:
            active = self.in_service(name)
            self._under_way(name, trial)
            return await self._back(active.adapter, active.toolset, self._before.get(name))

    async def roll_back(self, name: str) -> Active:
        """End the trial under way; without one, the version before serves again.

        It is done even if it cannot be kept, for a full disk must not hold up the way back; then it
        lasts until the gateway stops.

        Raises:
            UnknownAdapter: nothing of that name is in service.
            Conflict: there is no version before.
        """
        async with self._one_at_a_time:
            current, before = self.in_service(name), self._before.get(name)
            if self._active.trial(name) is not None:
                return await self._back(current.adapter, current.toolset, before)
            if before is None:
                raise Conflict(f"adapter {name!r} has no version before {current.adapter.version}")
            return await self._back(*before, (current.adapter, current.toolset))

    def _under_way(self, name: str, meant: Trial | None) -> Trial:
        trial = self._active.trial(name)
        if trial is None or (meant is not None and meant is not trial):
            raise Conflict(f"no such trial of adapter {name!r} is under way")
        return trial

    async def _take_over(self, adapter: Adapter, toolset: str) -> Active:
        current, before = self._active.get(adapter.name), self._before.get(adapter.name)
        if current is not None and current.adapter.version != adapter.version:
            before = (current.adapter, current.toolset)
        await self._keep(adapter, toolset, before, None)
        return self._flip(adapter, toolset, before)

    async def _back(self, adapter: Adapter, toolset: str, before: Before | None) -> Active:
        active = self._flip(adapter, toolset, before)
        try:
            await self._keep(adapter, toolset, before, None)
        except AdapterRefused as exc:
            logger.error(
                "%s; a restart will not know of the rollback", exc,
                extra={"event": "rollback_not_kept", "adapter": adapter.version},
            )  # fmt: skip
            self._unkept.add(adapter.name)
        return active

    def _flip(
        self, adapter: Adapter, toolset: str, before: Before | None, trial: Trial | None = None
    ) -> Active:
        used = self._used(adapter.name)
        if before is not None:
            self._before[adapter.name] = before
        active = self._active.put(adapter, toolset, trial)
        for version in used - self._used(adapter.name):
            self._on_dropped(version)
        logger.info(
            "adapter %s is in service for toolset %s%s", adapter.version, toolset,
            f", {trial.adapter.version} on trial ({trial.kind})" if trial else "",
            extra={"event": "adapter_active", "adapter": adapter.version, "toolset": toolset,
                   "trial": trial.as_dict() if trial else None},
        )  # fmt: skip
        return active

    def _used(self, name: str) -> set[str]:
        active, trial = self._active.get(name), self._active.trial(name)
        found = (active and active.adapter.version, trial and trial.adapter.version)
        return {version for version in (*found, self.previous(name)) if version}

    async def _keep(
        self, adapter: Adapter, toolset: str, before: Before | None, trial: Trial | None
    ) -> None:
        previous = before[0].version if before else None
        try:
            await self._records.keep_active(
                adapter.name, adapter.version, previous, toolset, trial.as_dict() if trial else None
            )
        except sqlite3.Error as exc:
            raise AdapterRefused(f"{adapter.version} cannot be kept in service: {exc}") from exc
        self._unkept.discard(adapter.name)
