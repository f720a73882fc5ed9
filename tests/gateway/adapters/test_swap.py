"""Bringing versions into service and back out, while a failure changes nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.adapters.active import ActiveAdapters, DriftPolicy
from gateway.adapters.store import AdapterStore
from gateway.adapters.swap import Swap
from gateway.config import ServerConfig
from gateway.engines.scripted import ScriptedEngine
from gateway.errors import AdapterRefused, Conflict, EngineDown, UnknownAdapter
from gateway.manifest import Adapter
from gateway.observe import Metrics
from gateway.records import Records
from gateway.router import Router
from gateway.toolsets.catalog import build_catalog
from gateway.toolsets.listing import Listing
from gateway.types import Toolset
from mcp_servers.support.toolset import toolset as support_revision
from tests.adapters import support_toolset, write_adapter
from tests.gateway.serving import ASK, TRACK

PROBE = {"request": ASK, "target": TRACK}
NO_TOOL = {"tool": "no_tool", "reason": "chat"}


class Unloadable(ScriptedEngine):
    """An engine that takes every adapter but those of one rank."""

    async def load(self, version: str, folder: Path) -> None:
        if '"r": 64' in (folder / "adapter_config.json").read_text():
            raise AdapterRefused("rank 64 does not fit")
        await super().load(version, folder)


class Gated(ScriptedEngine):
    """An engine that loads one adapter at a time and counts how many ask at once."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.asked = asyncio.Event()
        self.loading = 0
        self.most_at_once = 0

    async def load(self, version: str, folder: Path) -> None:
        self.loading += 1
        self.most_at_once = max(self.most_at_once, self.loading)
        self.asked.set()
        await self.gate.wait()
        await super().load(version, folder)
        self.loading -= 1


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


def go_live(active: ActiveAdapters, toolset: Toolset) -> None:
    """The tools of a toolset become what the server `support` has listed."""
    config = ServerConfig(name="support", url="http://localhost:1/mcp")
    active.on_catalog(build_catalog([(config, Listing(toolset.tools))], []))


async def test_a_version_is_loaded_put_into_service_and_kept(tmp_path: Path) -> None:
    async with yard(tmp_path) as y:
        adapter = await y.add()
        active = await y.swap.activate(adapter)
        assert active.toolset == "support"
        assert y.version == adapter.version
        assert y.engine.loaded == {adapter.version: adapter.folder}
        assert await y.records.active() == {
            "support": {"version": adapter.version, "previous": None, "toolset": "support"}
        }


async def test_a_new_version_takes_over_the_toolset_and_the_old_one_stays_loaded(
    tmp_path: Path,
) -> None:
    async with yard(tmp_path) as y:
        first, second = await y.add(), await y.add(32)
        await y.swap.activate(first, "desk")
        active = await y.swap.activate(second)
        assert (y.version, active.toolset) == (second.version, "desk")
        assert y.swap.previous("support") == first.version
        assert y.loaded == {first.version, second.version}


async def test_only_the_version_before_is_kept_loaded(tmp_path: Path) -> None:
    async with yard(tmp_path) as y:
        first, second, third = await y.add(8), await y.add(16), await y.add(32)
        for adapter in (first, second, third):
            await y.swap.activate(adapter)
        assert y.loaded == {second.version, third.version}
        await y.swap.activate(second)
        assert y.loaded == {second.version, third.version}
        assert y.swap.previous("support") == third.version


async def test_activating_the_version_in_service_keeps_the_one_before(tmp_path: Path) -> None:
    async with yard(tmp_path) as y:
        first, second = await y.add(), await y.add(32)
        for adapter in (first, second, second):
            await y.swap.activate(adapter)
        assert y.swap.previous("support") == first.version


@pytest.mark.parametrize(
    ("answer", "target", "passes"),
    [
        (TRACK, TRACK, True),
        (TRACK, {"calls": [TRACK]}, True),
        (NO_TOOL, {"tool": "no_tool", "reason": "any"}, True),
        (NO_TOOL, TRACK, False),
        (TRACK, {"tool": "no_tool", "reason": "any"}, False),
        ({**TRACK, "arguments": {"order_id": "ORD-9999"}}, TRACK, False),
        ("not JSON", {"tool": "no_tool", "reason": "any"}, False),
    ],
)
async def test_a_probe_decides_whether_a_version_comes_into_service(
    tmp_path: Path, answer: Any, target: Any, passes: bool
) -> None:
    async with yard(tmp_path, ScriptedEngine({ASK: answer})) as y:
        old = await y.add()
        await y.swap.activate(old)
        new = await y.add(32, probes=[{"request": ASK, "target": target}])
        if passes:
            await y.swap.activate(new)
            assert y.version == new.version
            return
        with pytest.raises(AdapterRefused, match=f"{new.version}: step probe failed: .*ORD-1234"):
            await y.swap.activate(new)
        assert y.version == old.version
        assert y.loaded == {old.version}
        assert y.swap.previous("support") is None
        assert (await y.records.active())["support"]["version"] == old.version


async def test_a_version_that_cannot_be_loaded_leaves_the_old_one(tmp_path: Path) -> None:
    async with yard(tmp_path, Unloadable()) as y:
        old, new = await y.add(), await y.add(64)
        await y.swap.activate(old)
        with pytest.raises(AdapterRefused, match="step load failed: rank 64"):
            await y.swap.activate(new)
        assert (y.version, y.loaded) == (old.version, {old.version})


async def test_a_failed_activation_of_the_version_before_leaves_the_rollback_open(
    tmp_path: Path,
) -> None:
    answers: dict[str, Any] = {ASK: TRACK}
    async with yard(tmp_path, ScriptedEngine(answers)) as y:
        first, second = await y.add(16, probes=[PROBE]), await y.add(32)
        await y.swap.activate(first)
        await y.swap.activate(second)
        answers[ASK] = NO_TOOL
        with pytest.raises(AdapterRefused, match="probe"):
            await y.swap.activate(first)
        await y.swap.rollback("support")
        assert y.version == first.version
        assert first.version in y.loaded


async def test_a_rollback_brings_the_version_before_back_and_can_be_undone(tmp_path: Path) -> None:
    async with yard(tmp_path) as y:
        first, second = await y.add(), await y.add(32)
        await y.swap.activate(first, "desk")
        await y.swap.activate(second, "other")
        active = await y.swap.rollback("support")
        assert (active.adapter.version, active.toolset) == (first.version, "desk")
        assert (await y.records.active())["support"] == {
            "version": first.version, "previous": second.version, "toolset": "desk",
        }  # fmt: skip
        active = await y.swap.rollback("support")
        assert (active.adapter.version, active.toolset) == (second.version, "other")


async def test_there_is_no_rollback_without_a_version_before(tmp_path: Path) -> None:
    async with yard(tmp_path) as y:
        with pytest.raises(UnknownAdapter, match="'support' is in service"):
            await y.swap.rollback("support")
        adapter = await y.add()
        await y.swap.activate(adapter)
        with pytest.raises(Conflict, match=f"no version before {adapter.version}"):
            await y.swap.rollback("support")
        assert y.version == adapter.version


async def test_two_activations_at_once_run_one_after_the_other(tmp_path: Path) -> None:
    engine = Gated()
    async with yard(tmp_path, engine) as y:
        first, second = await y.add(), await y.add(32)
        one = asyncio.create_task(y.swap.activate(first))
        await engine.asked.wait()
        two = asyncio.create_task(y.swap.activate(second))
        assert y.version is None
        engine.gate.set()
        await asyncio.gather(one, two)
        assert engine.most_at_once == 1
        assert y.version == second.version
        assert y.swap.previous("support") == first.version


async def test_what_is_retired_is_out_of_service_and_unloaded(tmp_path: Path) -> None:
    async with yard(tmp_path) as y:
        for rank in (16, 32):
            await y.swap.activate(await y.add(rank))
        await y.swap.retire("support")
        assert (y.version, y.loaded, y.swap.previous("support")) == (None, set(), None)
        with pytest.raises(UnknownAdapter):
            await y.swap.retire("support")


async def test_what_an_earlier_run_served_comes_back_with_its_rollback(tmp_path: Path) -> None:
    async with yard(tmp_path, ScriptedEngine({ASK: NO_TOOL})) as y:
        first, second = await y.add(16, probes=[PROBE]), await y.add(32, probes=[PROBE])
        await y.swap.restore(second, "desk", first)
        assert y.version == second.version
        assert y.loaded == {first.version, second.version}
        await y.swap.rollback("support")
        assert y.version == first.version


async def test_a_version_before_that_cannot_be_loaded_costs_only_the_rollback(
    tmp_path: Path,
) -> None:
    async with yard(tmp_path, Unloadable()) as y:
        first, second = await y.add(64), await y.add(16)
        await y.swap.restore(second, "desk", first)
        assert (y.version, y.swap.previous("support")) == (second.version, None)


def revision_2() -> Toolset:
    return Toolset("support", support_revision(2).tools)


def nothing() -> Toolset:
    return Toolset("support", ())


@pytest.mark.parametrize(
    ("live", "policy", "refused"),
    [
        (support_toolset, "block", None),
        (revision_2, "mask", None),
        (revision_2, "warn", None),
        (revision_2, "block", "removed.*policy is to block"),
        (nothing, "mask", "none of its tools is live"),
        (nothing, "warn", "none of its tools is live"),
    ],
)
async def test_drift_refuses_an_activation_by_policy_or_when_nothing_is_left(
    tmp_path: Path, live: Callable[[], Toolset], policy: DriftPolicy, refused: str | None
) -> None:
    async with yard(tmp_path, policy=policy) as y:
        go_live(y.active, live())
        adapter = await y.add()
        if refused is None:
            await y.swap.activate(adapter)
            assert y.version == adapter.version
        else:
            with pytest.raises(AdapterRefused, match=refused):
                await y.swap.activate(adapter)
            assert (y.version, y.loaded) == (None, set())


async def test_an_engine_that_is_down_refuses_the_activation(tmp_path: Path) -> None:
    class Down(ScriptedEngine):
        async def complete(self, prompt: Any) -> Any:
            raise EngineDown("the engine is stopped")

    async with yard(tmp_path, Down()) as y:
        with pytest.raises(AdapterRefused, match="step probe failed: the engine is stopped"):
            await y.swap.activate(await y.add(probes=[PROBE]))
        assert (y.version, y.loaded) == (None, set())
