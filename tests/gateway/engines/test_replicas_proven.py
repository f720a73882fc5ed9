"""A version's probes are asked of every server that loads it, whenever it does."""

import asyncio
import json
import logging
from pathlib import Path

import httpx
import pytest

from gateway.adapters.probing import proof_of
from gateway.engines.base import Engine, Prompt, Proof
from gateway.errors import AdapterRefused, EngineDown, ProbeFailed
from gateway.manifest import Adapter, read_adapter
from tests.adapters import write_adapter
from tests.gateway.adapters.yard import NO_TOOL, PROBE
from tests.gateway.engines.fleet import COMPLETIONS, LOAD, WATCHFUL, Fleet, fleet, until
from tests.gateway.engines.vllm_double import VllmDouble
from tests.gateway.serving import ASK, TRACK


@pytest.fixture
def probed(tmp_path: Path) -> Adapter:
    return read_adapter(write_adapter(tmp_path / "probed", probes=[PROBE]))


async def load(made: Fleet, adapter: Adapter, proof: Proof | None = None) -> None:
    await made.replicas.load(adapter.version, adapter.folder, proof or proof_of(adapter))


async def ask(made: Fleet, version: str) -> str:
    messages = ({"role": "user", "content": ASK},)
    return (await made.replicas.complete(Prompt(messages, version, None, 512, 8))).text


def play(*doubles: VllmDouble, answer: object = TRACK) -> None:
    for double in doubles:
        double.wants = json.dumps(answer)


def probes_of(double: VllmDouble, version: str) -> int:
    """How often a double was asked a probe: under the grammar, unlike a warming prompt."""
    bodies = double.bodies(COMPLETIONS)
    return sum(body["model"] == version and "structured_outputs" in body for body in bodies)


async def test_every_server_that_is_ready_must_pass(
    folder: Path, one: VllmDouble, two: VllmDouble, probed: Adapter
) -> None:
    async with fleet(folder, one, two) as made:
        play(one)
        play(two, answer=NO_TOOL)
        with pytest.raises(ProbeFailed, match=rf"ORD-1234.*\(replica {two.url}\)"):
            await load(made, probed)
        assert set(one.adapters) == set(two.adapters) == {"support@1"}
        play(two)
        await load(made, probed)
        assert probed.version in one.adapters
        assert probed.version in two.adapters
        assert (probes_of(one, probed.version), probes_of(two, probed.version)) == (2, 2)


async def test_of_what_has_served_already_one_server_that_passes_is_enough(
    folder: Path, one: VllmDouble, two: VllmDouble, probed: Adapter
) -> None:
    known = proof_of(probed, everywhere=False)
    async with fleet(folder, one, two, pace=WATCHFUL) as made:
        play(one, two, answer=NO_TOOL)
        with pytest.raises(ProbeFailed, match="answered was"):
            await load(made, probed, known)
        assert set(one.adapters) == set(two.adapters) == {"support@1"}
        play(two)
        await load(made, probed, known)
        wrong, right = made.replicas.status
        assert wrong.loaded == ("support@1",)
        assert set(right.loaded) == {"support@1", probed.version}
        assert "answered was" in (wrong.error or "")
        asked = len(one.bodies(COMPLETIONS))
        for _ in range(3):
            await ask(made, probed.version)
        assert len(one.bodies(COMPLETIONS)) == asked


async def test_what_has_served_already_stays_wanted_while_a_server_that_may_pass_is_down(
    folder: Path, one: VllmDouble, two: VllmDouble, probed: Adapter
) -> None:
    two.kill()
    async with fleet(folder, one, two, pace=WATCHFUL, ready=False) as made:
        await made.until_ready(0)
        play(one, answer=NO_TOOL)
        await load(made, probed, proof_of(probed, everywhere=False))
        with pytest.raises(EngineDown, match=r"answered was.*connection refused"):
            await ask(made, probed.version)
        play(two)
        two.restart()
        await made.until_ready(1)
        assert await ask(made, probed.version)


async def test_one_that_joins_later_with_other_weights_gets_no_prompt_for_the_version(
    folder: Path,
    one: VllmDouble,
    two: VllmDouble,
    probed: Adapter,
    caplog: pytest.LogCaptureFixture,
) -> None:
    two.kill()
    async with fleet(folder, one, two, pace=WATCHFUL, ready=False) as made:
        await made.until_ready(0)
        play(one)
        await load(made, probed)
        play(two, answer=NO_TOOL)
        with caplog.at_level(logging.ERROR, "gateway.engines"):
            two.restart()
            await made.until_ready(1)
            # It serves what it has proven, and is not asked again and again for the rest.
            await until(lambda: sum(path == "/health" for path, _ in two.asked) >= 10)
        assert [r.getMessage() for r in caplog.records if "the request" in r.getMessage()] == [
            f"vLLM at {two.url} refuses an adapter: {made.replicas.status[1].error}"
        ]
        assert probes_of(two, probed.version) == 1
        assert made.replicas.status[1].loaded == ("support@1",)
        assert "answered was" in (made.replicas.status[1].error or "")
        for _ in range(3):
            await ask(made, probed.version)
        assert [b["model"] for b in two.bodies(COMPLETIONS)].count(probed.version) == 2
        two.kill()
        await until(lambda: made.states[1] == "down")
        play(two)
        two.restart()
        await until(lambda: probed.version in made.replicas.status[1].loaded)


async def test_one_that_restarts_with_other_weights_is_found_out(
    folder: Path, vllm: VllmDouble, probed: Adapter
) -> None:
    async with fleet(folder, vllm, pace=WATCHFUL) as made:
        play(vllm)
        await load(made, probed)
        vllm.kill()
        await until(lambda: made.states == ["down"])
        play(vllm, answer=NO_TOOL)
        vllm.restart()
        await made.until_ready(0)
        assert set(vllm.adapters) == {"support@1"}
        with pytest.raises(EngineDown, match="answered was"):
            await ask(made, probed.version)
        assert await made.ask("support@1")


async def test_one_that_restarts_does_not_load_a_folder_that_was_changed_meanwhile(
    folder: Path, vllm: VllmDouble, probed: Adapter
) -> None:
    async with fleet(folder, vllm, pace=WATCHFUL, load=()) as made:
        play(vllm)
        await load(made, probed)
        changed = probed.folder / "report.json"
        came_in = changed.read_text()
        changed.write_text("{ }")
        vllm.kill()
        await until(lambda: made.states == ["down"])
        vllm.restart()
        await made.until_ready(0)
        assert made.replicas.status[0].loaded == ()
        error = made.replicas.status[0].error
        assert error == f"{probed.version}: the folder was changed after it came in"
        assert len(vllm.bodies(LOAD)) == 1
        with pytest.raises(EngineDown, match="changed after it came in"):
            await ask(made, probed.version)
        changed.write_text(came_in)
        await until(lambda: made.replicas.status[0].loaded == (probed.version,))
        assert len(vllm.bodies(LOAD)) == 2


async def test_what_is_wanted_before_any_server_is_up_is_proven_by_the_first(
    folder: Path, vllm: VllmDouble, probed: Adapter
) -> None:
    vllm.kill()
    async with fleet(folder, vllm, pace=WATCHFUL, load=(), ready=False) as made:
        await until(lambda: made.states == ["down"])
        await load(made, probed)
        play(vllm)
        vllm.restart()
        await made.until_ready(0)
        assert made.replicas.status[0].loaded == (probed.version,)
        assert probes_of(vllm, probed.version) == 1


async def test_a_server_that_dies_while_it_is_asked_proves_the_version_when_it_is_back(
    folder: Path, vllm: VllmDouble, probed: Adapter
) -> None:
    begun = asyncio.Event()

    async def dying(engine: Engine) -> None:
        if not begun.is_set():
            begun.set()
            vllm.kill()
        await proof_of(probed)(engine)

    async with fleet(folder, vllm) as made:
        play(vllm)
        await load(made, probed, Proof(dying))
        assert begun.is_set()
        vllm.restart()
        await made.until_ready(0)
        assert probed.version in made.replicas.status[0].loaded


async def test_a_version_with_which_a_server_only_fails_is_refused_and_the_server_stays(
    folder: Path, vllm: VllmDouble, probed: Adapter
) -> None:
    async def failing(engine: Engine) -> None:
        vllm.instead[COMPLETIONS] = httpx.Response(500, json={"error": {"message": "no kernel"}})
        try:
            await proof_of(probed)(engine)
        finally:
            del vllm.instead[COMPLETIONS]

    async with fleet(folder, vllm) as made:
        play(vllm)
        with pytest.raises(AdapterRefused, match=r"fails with it: .*no kernel"):
            await load(made, probed, Proof(failing))
        assert made.states == ["ready"]
        assert set(vllm.adapters) == {"support@1"}
