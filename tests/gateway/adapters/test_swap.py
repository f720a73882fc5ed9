"""Bringing versions into service and back out, one after the other."""

import asyncio
from pathlib import Path

import pytest

from gateway.engines.base import Proof
from gateway.engines.scripted import ScriptedEngine
from gateway.errors import Conflict, UnknownAdapter
from tests.adapters import support_toolset
from tests.gateway.adapters.yard import NO_TOOL, PROBE, yard
from tests.gateway.serving import ASK


class Gated(ScriptedEngine):
    """An engine that loads one adapter at a time and counts how many ask at once."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.asked = asyncio.Event()
        self.loading = 0
        self.most_at_once = 0

    async def load(self, version: str, folder: Path, proof: Proof | None = None) -> None:
        self.loading += 1
        self.most_at_once = max(self.most_at_once, self.loading)
        self.asked.set()
        await self.gate.wait()
        await super().load(version, folder, proof)
        self.loading -= 1


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


async def test_an_adapter_trained_on_varied_tools_is_probed_as_its_rows_asked(
    tmp_path: Path,
) -> None:
    async with yard(tmp_path) as y:
        prompt = {"form": "lines"}
        await y.swap.activate(await y.add(toolset_mode="varied", prompt=prompt, probes=[PROBE]))
        (asked,) = y.engine.prompts
    task, *tools = asked.messages[0]["content"].split("\n")
    assert task == "Route the request to the tools of tools. Answer in JSON."
    assert len(tools) == len(support_toolset().tools)


async def test_only_the_version_before_is_kept_loaded(tmp_path: Path) -> None:
    async with yard(tmp_path) as y:
        first, second, third = await y.add(8), await y.add(16), await y.add(32)
        for adapter in (first, second, third):
            await y.swap.activate(adapter)
        assert await y.unloaded() == {second.version, third.version}
        await y.swap.activate(second)
        assert await y.unloaded() == {second.version, third.version}
        assert y.swap.previous("support") == third.version


async def test_activating_the_version_in_service_keeps_the_one_before(tmp_path: Path) -> None:
    async with yard(tmp_path) as y:
        first, second = await y.add(), await y.add(32)
        for adapter in (first, second, second):
            await y.swap.activate(adapter)
        assert y.swap.previous("support") == first.version


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


async def test_what_an_earlier_run_served_comes_back_with_its_rollback(tmp_path: Path) -> None:
    async with yard(tmp_path, ScriptedEngine({ASK: NO_TOOL})) as y:
        first, second = await y.add(16, probes=[PROBE]), await y.add(32, probes=[PROBE])
        await y.swap.restore(second, "desk", first)
        assert y.version == second.version
        assert y.loaded == {first.version, second.version}
        await y.swap.rollback("support")
        assert y.version == first.version
