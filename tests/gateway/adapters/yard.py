"""A store, an engine and the alias table around a `Swap`, without servers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.adapters.active import ActiveAdapters, DriftPolicy
from gateway.adapters.store import AdapterStore
from gateway.adapters.swap import Swap
from gateway.engines.scripted import ScriptedEngine
from gateway.manifest import Adapter
from gateway.observe import Metrics
from gateway.records import Records
from gateway.router import Router
from tests.adapters import write_adapter
from tests.gateway.serving import ASK, TRACK

PROBE = {"request": ASK, "target": TRACK}
NO_TOOL = {"tool": "no_tool", "reason": "chat"}


@dataclass
class Yard:
    engine: ScriptedEngine
    store: AdapterStore
    active: ActiveAdapters
    swap: Swap
    records: Records
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


@asynccontextmanager
async def yard(
    tmp_path: Path, engine: ScriptedEngine | None = None, policy: DriftPolicy = "mask"
) -> AsyncIterator[Yard]:
    engine = engine or ScriptedEngine({ASK: TRACK})
    records = Records()
    await records.open()
    active = ActiveAdapters(policy, Metrics(), lambda _: True)
    store = AdapterStore(tmp_path / "store", records, engine)
    swap = Swap(engine, Router(engine), store, active, records)
    try:
        yield Yard(engine, store, active, swap, records, tmp_path)
    finally:
        await records.close()
