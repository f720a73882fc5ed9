"""Probes: what passes, what fails, and what is said of one that failed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.engines.base import Prompt
from gateway.engines.scripted import ScriptedEngine
from gateway.errors import EngineDown
from gateway.grammar import parse_answer
from gateway.manifest import Adapter, Probe, read_adapter
from gateway.probe import failed_probe, failed_probes
from gateway.router import Router
from tests.adapters import write_adapter
from tests.gateway.serving import ASK, TRACK

NO_TOOL = {"tool": "no_tool", "reason": "chat"}
HELP = {"tool": "search_help", "arguments": {"query": "opening hours"}}
TWO = {"calls": [TRACK, HELP]}


def came(target: Mapping[str, Any], answer: Any) -> str | None:
    """What is said to have come instead of the target; None if the probe passed."""
    probe = Probe(request=ASK, target=dict(target))
    text = answer if isinstance(answer, str) else json.dumps(answer)
    failed = failed_probe(probe, parse_answer(text))
    return failed.came if failed else None


@pytest.mark.parametrize(
    ("target", "answer"),
    [
        (TRACK, TRACK),
        ({"calls": [TRACK]}, TRACK),
        (NO_TOOL, {**NO_TOOL, "reason": "another reason"}),
        (TWO, {"calls": [HELP, TRACK]}),
        (HELP, {**HELP, "arguments": {"query": "opening hours please"}}),
    ],
)
def test_the_wanted_answer_passes(target: dict[str, Any], answer: dict[str, Any]) -> None:
    assert came(target, answer) is None


@pytest.mark.parametrize(
    ("target", "answer"),
    [
        (TRACK, NO_TOOL),
        (NO_TOOL, TRACK),
        (TRACK, {**TRACK, "arguments": {"order_id": "ORD-4321"}}),
        (TRACK, TWO),
        (TWO, TRACK),
    ],
)
def test_another_answer_fails_and_is_told(target: dict[str, Any], answer: dict[str, Any]) -> None:
    assert came(target, answer) == json.dumps(answer)


@pytest.mark.parametrize("target", [TRACK, NO_TOOL])
def test_an_answer_that_cannot_be_read_fails(target: dict[str, Any]) -> None:
    assert (came(target, "not JSON") or "").startswith("no readable answer (")


def test_a_failure_names_the_request_what_it_wants_and_what_came() -> None:
    probe = Probe(request="où est ORD-1234 ?", target=TRACK)
    assert str(failed_probe(probe, parse_answer(json.dumps(NO_TOOL)))) == (
        f"the request 'où est ORD-1234 ?' wants {json.dumps(TRACK)}, "
        f"answered was {json.dumps(NO_TOOL)}"
    )


async def probed(
    folder: Path, engine: ScriptedEngine, **manifest: Any
) -> tuple[Adapter, list[str]]:
    """An adapter, and the requests of those probes that it fails."""
    probes = [{"request": ASK, "target": TRACK}, {"request": "hello", "target": NO_TOOL}]
    adapter = read_adapter(write_adapter(folder / "adapter", probes=probes, **manifest))
    await engine.load(adapter.version, adapter.folder)
    failed = await failed_probes(Router(engine), adapter)
    return adapter, [item.probe.request for item in failed]


async def test_every_probe_is_asked_of_the_adapter_and_those_that_fail_come_back(
    tmp_path: Path,
) -> None:
    engine = ScriptedEngine({ASK: NO_TOOL, "hello": NO_TOOL})
    adapter, failed = await probed(tmp_path, engine)
    assert failed == [ASK]
    assert [p.messages[-1]["content"] for p in engine.prompts] == [ASK, "hello"]
    assert {p.adapter for p in engine.prompts} == {adapter.version}


async def test_an_adapter_that_answers_all_its_probes_fails_none(tmp_path: Path) -> None:
    _, failed = await probed(tmp_path, ScriptedEngine({ASK: TRACK, "hello": NO_TOOL}))
    assert failed == []


async def test_a_probe_that_does_not_fit_the_prompt_fails(tmp_path: Path) -> None:
    engine = ScriptedEngine({ASK: TRACK, "hello": NO_TOOL})
    _, failed = await probed(tmp_path, engine, prompt={"max_prompt_tokens": 12})
    assert failed == [ASK]


async def test_an_engine_that_is_down_is_no_failed_probe(tmp_path: Path) -> None:
    def down(_: Prompt) -> str:
        raise EngineDown("the engine is stopped")

    with pytest.raises(EngineDown):
        await probed(tmp_path, ScriptedEngine(down))
