"""Requests while a version is on trial: who answers, who is only compared, and who is unloaded."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.engines.base import Completion, Prompt
from gateway.engines.scripted import ScriptedEngine
from gateway.errors import EngineDown
from gateway.manifest import Adapter
from gateway.pipeline import Reply, RouteRequest
from gateway.types import Message
from tests.adapters import write_adapter
from tests.gateway.serving import ASK, TRACK, Served, desk, dispatched, served, settings
from tests.gateway.toolsets.upstream_doubles import Script

NO_TOOL = {"tool": "no_tool", "reason": "chat"}


class ByVersion(ScriptedEngine):
    """Answers by the adapter that is asked. One that has no answer is down; a gate holds it up."""

    def __init__(self) -> None:
        self.by_version: dict[str, Any] = {}
        self.gates: dict[str, asyncio.Event] = {}
        self.asked = asyncio.Event()
        super().__init__(lambda prompt: self.by_version[str(prompt.adapter)])

    async def complete(self, prompt: Prompt) -> Completion:
        self.asked.set()
        gate = self.gates.get(str(prompt.adapter))
        if gate is not None:
            await gate.wait()
        if prompt.adapter not in self.by_version:
            raise EngineDown("the engine is stopped")
        return await super().complete(prompt)

    def asked_of(self, version: str) -> int:
        return sum(prompt.adapter == version for prompt in self.prompts)


class Desk:
    """A gateway with one version in service, and another in the store."""

    def __init__(self, gateway: Served, engine: ByVersion, script: Script, old: str) -> None:
        self.gateway, self.parts, self.engine, self.script = gateway, gateway.parts, engine, script
        self.old = old

    async def add(self, folder: Path, rank: int, answer: Any = TRACK) -> Adapter:
        adapter = await self.parts.store.add(write_adapter(folder, rank=rank))
        if answer is not None:
            self.engine.by_version[adapter.version] = answer
        return adapter

    async def ask(self, conversation: str = "c", **more: Any) -> Reply:
        request = RouteRequest((Message("user", ASK),), "rest", conversation=conversation, **more)
        return await self.parts.pipeline.handle(request)

    async def counts(self, version: str):
        await self.parts.pipeline.shadow.settled()
        return self.parts.trials.counts("support")[version]


@asynccontextmanager
async def running(tmp_path: Path) -> AsyncIterator[Desk]:
    script, engine = desk(tmp_path / "desk"), ByVersion()
    config = settings(tmp_path, script.config(), swap={"grace_s": 0})
    async with served(config, engine) as gateway:
        (active,) = gateway.parts.active.all
        engine.by_version[active.adapter.version] = TRACK
        yield Desk(gateway, engine, script, active.adapter.version)


async def test_a_reply_names_the_version_that_answered(tmp_path: Path) -> None:
    async with running(tmp_path) as d:
        new = await d.add(tmp_path / "new", 32, NO_TOOL)
        await d.parts.swap.start_trial(new, "canary", 0.5)
        replies = [await d.ask(f"conversation {number}") for number in range(40)]
        outcomes = {reply.model: reply.decision.outcome for reply in replies}
        assert outcomes == {d.old: "call", new.version: "no_tool"}
        for version in (d.old, new.version):
            made = sum(reply.model == version for reply in replies)
            assert (await d.counts(version)).requests == made == d.engine.asked_of(version)


async def test_a_conversation_stays_with_its_version(tmp_path: Path) -> None:
    async with running(tmp_path) as d:
        new = await d.add(tmp_path / "new", 32)
        await d.parts.swap.start_trial(new, "canary", 0.5)
        for number in range(10):
            body = {"request": f"{ASK} {number}"}
            headers = {"X-Conversation-Id": "one"}
            answers = [
                await d.gateway.client.post("/v1/route", json=body, headers=headers)
                for _ in range(2)
            ]
            chats = {"messages": [{"role": "user", "content": f"{ASK} {number}"}]}
            answers.append(
                await d.gateway.client.post("/v1/chat/completions", json=chats, headers=headers)
            )
            expected = d.parts.active.choose("auto", "id:one").active.adapter.version
            assert {answer.json()["model"] for answer in answers} == {expected}


async def test_without_a_name_the_first_message_tells_the_conversation(tmp_path: Path) -> None:
    async with running(tmp_path) as d:
        new = await d.add(tmp_path / "new", 32)
        await d.parts.swap.start_trial(new, "canary", 0.5)
        models: list[set[str]] = []
        for number in range(20):
            first = Message("user", f"{ASK} {number}")
            later = (first, Message("assistant", "{}"), Message("user", ASK))
            asked = [RouteRequest((first,), "rest"), RouteRequest(later, "rest")]
            models.append({(await d.parts.pipeline.handle(r)).model for r in asked})
        assert all(len(found) == 1 for found in models)
        assert set.union(*models) == {d.old, new.version}


async def test_a_shadow_is_asked_the_same_and_its_calls_reach_no_server(tmp_path: Path) -> None:
    async with running(tmp_path) as d:
        lost = {"tool": "cancel_order", "arguments": {"order_id": "ORD-1234"}}
        new = await d.add(tmp_path / "new", 32, lost)
        await d.parts.swap.start_trial(new, "shadow")
        reply = await d.ask(dispatch=True)
        assert (reply.model, reply.decision.calls[0].as_dict()) == (d.old, TRACK)
        counts = await d.counts(new.version)
        assert (counts.requests, counts.compared, counts.agreed) == (1, 1, 0)
        assert dispatched(d.script) == 1
        (kept,) = await d.parts.records.calls()
        assert kept["model"] == d.old


async def test_a_shadow_that_is_behind_leaves_requests_out_and_holds_none_up(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as d:
        new = await d.add(tmp_path / "new", 32)
        await d.parts.swap.start_trial(new, "shadow")
        gate = d.engine.gates[new.version] = asyncio.Event()
        for _ in range(11):
            assert (await d.ask()).model == d.old
        gate.set()
        counts = await d.counts(new.version)
        assert (counts.requests, counts.dropped, counts.agreement) == (8, 3, 1.0)


@pytest.mark.parametrize("kind", ["canary", "shadow"])
async def test_an_engine_that_fails_a_version_on_trial_is_counted_as_its_error(
    tmp_path: Path, kind: Any
) -> None:
    async with running(tmp_path) as d:
        new = await d.add(tmp_path / "new", 32, None)
        await d.parts.swap.start_trial(new, kind, 1.0)
        if kind == "canary":
            with pytest.raises(EngineDown):
                await d.ask()
        else:
            assert (await d.ask()).model == d.old
        counts = await d.counts(new.version)
        assert (counts.requests, counts.errors) == (1, 1)


async def test_a_request_in_flight_is_answered_by_the_version_it_was_asked_of(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as d:
        gate = d.engine.gates[d.old] = asyncio.Event()
        early = asyncio.create_task(d.ask())
        await d.engine.asked.wait()
        for rank in (32, 64):
            await d.parts.swap.activate(await d.add(tmp_path / f"new{rank}", rank))
        assert (await d.ask()).model == d.parts.active.all[0].adapter.version
        assert d.old in d.engine.loaded
        gate.set()
        assert (await early).model == d.old
        await d.parts.swap.settled()
        assert d.old not in d.engine.loaded


async def test_a_shadow_under_way_keeps_its_version_loaded(tmp_path: Path) -> None:
    async with running(tmp_path) as d:
        new = await d.add(tmp_path / "new", 32)
        await d.parts.swap.start_trial(new, "shadow")
        gate = d.engine.gates[new.version] = asyncio.Event()
        await d.ask()
        await d.parts.swap.rollback("support")
        unloading = asyncio.create_task(d.parts.swap.settled())
        await asyncio.sleep(0)
        assert not unloading.done()
        assert new.version in d.engine.loaded
        gate.set()
        await unloading
        assert new.version not in d.engine.loaded


async def test_a_trial_goes_on_after_a_restart(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    config = settings(
        tmp_path, script.config(), adapter=False, records={"path": str(tmp_path / "records.db")}
    )
    async with served(config) as gateway:
        store, swap = gateway.parts.store, gateway.parts.swap
        old, new = [
            await store.add(write_adapter(tmp_path / str(rank), rank=rank)) for rank in (16, 32)
        ]
        await swap.activate(old)
        before = await swap.start_trial(new, "canary", 0.5, auto=True)
    async with served(config) as gateway:
        (active,) = gateway.parts.active.all
        after = gateway.parts.active.trial("support")
        assert active.adapter.version == old.version
        assert after is not None
        assert after.as_dict() == before.as_dict()
