"""Every request is counted once, and leaves one record, whatever ends it."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.approval import OwnedCall, Step
from gateway.engines.base import Completion, Prompt
from gateway.engines.scripted import ScriptedEngine
from gateway.errors import NotApproved
from gateway.pipeline import RouteRequest
from gateway.types import Call, Message
from tests.gateway.faces.respond import DESK, answering, ask
from tests.gateway.serving import ASK, TRACK, Served, desk, dispatched, hanging, served, settings
from tests.gateway.toolsets.upstream_doubles import Script

POLICY: dict[str, Any] = {"approval": {"tools": ["track_order"]}}


def request() -> RouteRequest:
    return RouteRequest((Message("user", ASK),), "rest", dispatch=True)


def counted(gateway: Served, face: str = "rest") -> dict[str, float]:
    """Outcome -> how many requests of a face had it."""
    return {
        sample.labels["outcome"]: sample.value
        for family in gateway.parts.metrics.registry.collect()
        for sample in family.samples
        if sample.name == "pointsman_requests_total" and sample.labels["face"] == face
    }


class Person:
    """An approver who does as told before the answer."""

    approval: str | None = None
    step: Step | None = None

    def __init__(self, failure: BaseException | None = None, gate: Any = None) -> None:
        self.asked = asyncio.Event()
        self.seen: list[OwnedCall] = []
        self._failure, self._gate = failure, gate

    async def approve(self, calls: Sequence[OwnedCall]) -> None:
        self.approval, self.step = "q1", "asked"
        self.seen += calls
        self.asked.set()
        if self._gate is not None:
            await self._gate.wait()
        if self._failure is not None:
            raise self._failure
        self.step = "approved"


class Broken(ScriptedEngine):
    """An engine with a bug."""

    async def complete(self, prompt: Prompt) -> Completion:
        raise ZeroDivisionError("a bug")


async def test_a_call_that_is_cancelled_counts_once_and_is_kept(tmp_path: Path) -> None:
    script = Script(tmp_path / "script", "hang")
    async with served(settings(tmp_path, script.config(), adapter=False)) as gateway:
        calling = asyncio.create_task(gateway.parts.pipeline.call(Call("hang", {}), "rest"))
        await hanging(script)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        (kept,) = await gateway.parts.records.calls()
        assert (kept["outcome"], kept["calls"][0]["tool"]) == ("cancelled", "hang")
        assert counted(gateway) == {"cancelled": 1}


async def test_a_request_that_ends_in_a_bug_counts_once(tmp_path: Path) -> None:
    config = settings(tmp_path, desk(tmp_path / "desk").config())
    async with served(config, Broken()) as gateway:
        response = await gateway.route()
        assert response.status_code == 500
        assert "a bug" not in response.text
        assert counted(gateway) == {"internal": 1}


@pytest.mark.parametrize("routed", [True, False])
async def test_a_bug_on_the_way_to_a_server_is_kept_without_its_words(
    tmp_path: Path, routed: bool
) -> None:
    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, script.config(), **POLICY)) as gateway:
        pipeline, person = gateway.parts.pipeline, Person(ZeroDivisionError("a secret"))
        made = (
            pipeline.handle(request(), person)
            if routed
            else pipeline.call(Call(**TRACK), "rest", person)
        )
        with pytest.raises(ZeroDivisionError):
            await made
        (kept,) = await gateway.parts.records.calls()
        assert kept["failure" if routed else "reason"] == "ZeroDivisionError, see the log"
        assert counted(gateway) == {"internal": 1}
        assert dispatched(script) == 0


async def test_an_adapter_is_free_while_a_person_is_asked(tmp_path: Path) -> None:
    script, gate = desk(tmp_path / "desk"), asyncio.Event()
    async with served(settings(tmp_path, script.config(), **POLICY)) as gateway:
        version, person = gateway.parts.active.all[0].adapter.version, Person(gate=gate)
        handling = asyncio.create_task(gateway.parts.pipeline.handle(request(), person))
        await person.asked.wait()
        assert not gateway.parts.active.leases.held(version)
        assert dispatched(script) == 0
        gate.set()
        reply = await handling
        (kept,) = await gateway.parts.records.calls()
    assert (len(reply.results or ()), dispatched(script)) == (1, 1)
    assert (kept["approval"], kept["dispatched"]) == ({"id": "q1", "step": "approved"}, True)
    assert [(owned.server, owned.call) for owned in person.seen] == [("script", Call(**TRACK))]


async def test_a_refused_call_is_kept_as_not_dispatched(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, script.config(), **POLICY)) as gateway:
        with pytest.raises(NotApproved):
            await gateway.parts.pipeline.handle(request(), Person(NotApproved("no")))
        (kept,) = await gateway.parts.records.calls()
        assert (kept["dispatched"], kept["failure"], kept["results"]) == (False, "no", None)
        assert counted(gateway) == {"not_approved": 1}
        assert dispatched(script) == 0


async def test_a_request_cancelled_while_a_person_is_asked_runs_nothing(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, script.config(), **POLICY)) as gateway:
        person = Person(gate=asyncio.Event())
        handling = asyncio.create_task(gateway.parts.pipeline.handle(request(), person))
        await person.asked.wait()
        handling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await handling
        (kept,) = await gateway.parts.records.calls()
        assert (kept["outcome"], kept["dispatched"]) == ("cancelled", False)
        assert kept["approval"] == {"id": "q1", "step": "asked"}
        assert counted(gateway) == {"cancelled": 1}


async def test_a_routed_call_is_validated_as_one_step(tmp_path: Path) -> None:
    """Through the Responses API, which routes first and calls then."""
    async with answering(tmp_path) as (gateway, script):
        await ask(gateway, DESK)
        assert dispatched(script) == 1
        value = gateway.parts.metrics.registry.get_sample_value
        steps = {
            step: value("pointsman_step_seconds_count", {"step": step})
            for step in ("route", "validate", "dispatch", "total")
        }
        assert steps == {"route": 1, "validate": 1, "dispatch": 1, "total": 1}
        assert counted(gateway, "responses") == {"call": 2}


async def test_a_call_without_a_model_is_validated_as_one_step(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, script.config(), adapter=False)) as gateway:
        await gateway.call(**TRACK)
        await gateway.call("track_order", {})
        value = gateway.parts.metrics.registry.get_sample_value
        assert value("pointsman_step_seconds_count", {"step": "validate"}) == 2
        *_, kept = await gateway.parts.records.calls()
    assert kept["timings_ms"]["validate"] > 0
    assert kept["timings_ms"]["dispatch"] > kept["timings_ms"]["validate"]
