"""What is unloaded, and when: never under a request that is on its way."""

import asyncio
from pathlib import Path

from gateway.engines.base import Completion, Prompt
from gateway.engines.scripted import ScriptedEngine
from gateway.errors import EngineDown
from gateway.manifest import Adapter
from gateway.router import Router
from gateway.types import Message
from tests.gateway.adapters.yard import Yard, yard
from tests.gateway.serving import ASK, TRACK


class Slow(ScriptedEngine):
    """An engine that holds its answers back until the gate opens."""

    def __init__(self) -> None:
        super().__init__({ASK: TRACK})
        self.gate = asyncio.Event()
        self.asked = asyncio.Event()

    async def complete(self, prompt: Prompt) -> Completion:
        self.asked.set()
        await self.gate.wait()
        return await super().complete(prompt)


async def request(y: Yard) -> str:
    """One request from its resolution to its reply; returns the version that answered."""
    with y.active.asked("support", "conversation") as chosen:
        route = await Router(y.engine).route([Message("user", ASK)], chosen.active.asked)
        assert route.calls
        return chosen.active.adapter.version


async def asked_of(adapter: Adapter, y: Yard, engine: Slow) -> "asyncio.Task[str]":
    """A request that the engine holds back, asked of a version that comes into service for it."""
    await y.swap.activate(adapter)
    task = asyncio.create_task(request(y))
    await engine.asked.wait()
    return task


async def test_a_version_is_unloaded_only_after_its_last_request_has_its_reply(
    tmp_path: Path,
) -> None:
    engine = Slow()
    async with yard(tmp_path, engine) as y:
        first, second, third = await y.add(8), await y.add(16), await y.add(32)
        under_way = await asked_of(first, y, engine)
        for adapter in (second, third):
            await y.swap.activate(adapter)
        unloading = asyncio.create_task(y.swap.settled())
        await asyncio.sleep(0)
        assert not unloading.done()
        assert first.version in y.loaded
        engine.gate.set()
        assert await under_way == first.version
        await unloading
        assert y.loaded == {second.version, third.version}


async def test_a_version_that_comes_back_into_service_meanwhile_stays_loaded(
    tmp_path: Path,
) -> None:
    engine = Slow()
    async with yard(tmp_path, engine) as y:
        first, second, third = await y.add(8), await y.add(16), await y.add(32)
        under_way = await asked_of(first, y, engine)
        for adapter in (second, third, first):
            await y.swap.activate(adapter)
        engine.gate.set()
        await under_way
        assert await y.unloaded() == {third.version, first.version}


async def test_a_failed_activation_does_not_unload_a_version_that_is_still_asked(
    tmp_path: Path,
) -> None:
    engine = Slow()
    async with yard(tmp_path, engine) as y:
        first, second, third = await y.add(8), await y.add(16), await y.add(32)
        under_way = await asked_of(first, y, engine)
        for adapter in (second, third):
            await y.swap.activate(adapter)
        (first.folder / "report.json").write_text("changed")
        again = await asyncio.gather(y.swap.activate(first), return_exceptions=True)
        assert "step verify" in str(again[0])
        assert first.version in y.loaded
        engine.gate.set()
        assert await under_way == first.version
        assert await y.unloaded() == {second.version, third.version}


async def test_closing_does_not_wait_for_the_grace_time(tmp_path: Path) -> None:
    async with yard(tmp_path, grace_s=3600) as y:
        for rank in (8, 16, 32):
            await y.swap.activate(await y.add(rank))
        assert len(y.loaded) == 3
        await asyncio.wait_for(y.swap.close(), 60)
        assert len(y.loaded) == 2


async def test_an_engine_that_cannot_unload_is_left_alone(tmp_path: Path) -> None:
    class Stuck(ScriptedEngine):
        async def unload(self, version: str) -> None:
            raise EngineDown("the engine is stopped")

    async with yard(tmp_path, Stuck()) as y:
        for rank in (8, 16, 32):
            await y.swap.activate(await y.add(rank))
        assert len(await y.unloaded()) == 3
