"""A store, an engine and the alias table around a `Swap`, without servers."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.adapters.active import ActiveAdapters
from gateway.adapters.store import AdapterStore
from gateway.adapters.swap import Swap
from gateway.adapters.trials import Trials
from gateway.adapters.verdict import Rule
from gateway.drift_policy import DriftDefault, DriftPolicy
from gateway.engines.scripted import ScriptedEngine
from gateway.manifest import Adapter
from gateway.observe import Metrics
from gateway.records import Records
from tests.adapters import write_adapter
from tests.gateway.serving import ASK, TRACK

PROBE = {"request": ASK, "target": TRACK}
NO_TOOL = {"tool": "no_tool", "reason": "chat"}


class Disk(Records):
    """Records on a disk that is full while `full` is set."""

    full = False

    async def keep_active(self, *values: Any, **more: Any) -> None:
        self._require_space()
        await super().keep_active(*values, **more)

    async def keep_adapter(self, *values: Any, **more: Any) -> None:
        self._require_space()
        await super().keep_adapter(*values, **more)

    async def drop_adapter(self, version: str) -> None:
        self._require_space()
        await super().drop_adapter(version)

    def _require_space(self) -> None:
        if self.full:
            raise sqlite3.OperationalError("database or disk is full")


@dataclass
class Yard:
    engine: ScriptedEngine
    store: AdapterStore
    active: ActiveAdapters
    swap: Swap
    trials: Trials
    records: Records
    metrics: Metrics
    folder: Path

    async def add(self, rank: int = 16, **manifest: Any) -> Adapter:
        name = f"made{len(self.store.adapters)}"
        return await self.store.add(write_adapter(self.folder / name, rank=rank, **manifest))

    @property
    def version(self) -> str | None:
        active = self.active.get("support")
        return active.adapter.version if active else None

    @property
    def loaded(self) -> set[str]:
        return set(self.engine.loaded)

    async def unloaded(self) -> set[str]:
        """What is loaded once everything that nobody needs is unloaded."""
        await self.swap.settled()
        return self.loaded


@asynccontextmanager
async def yard(
    tmp_path: Path,
    engine: ScriptedEngine | None = None,
    policy: DriftDefault = "mask",
    *,
    records: Records | None = None,
    rule: Rule | None = None,
    grace_s: float = 0,
) -> AsyncIterator[Yard]:
    engine = engine or ScriptedEngine({ASK: TRACK})
    records, metrics = records or Records(), Metrics()
    await records.open()
    active = ActiveAdapters(DriftPolicy(policy=policy), metrics, lambda _: True)
    store = AdapterStore(tmp_path / "store", records, engine)
    swap = Swap(engine, store, active, records, grace_s)
    trials = Trials(active, swap, metrics, rule)
    try:
        yield Yard(engine, store, active, swap, trials, records, metrics, tmp_path)
    finally:
        await trials.close()
        await swap.close()
        await records.close()
