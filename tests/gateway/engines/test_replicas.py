"""One or many vLLM servers as one engine: who is asked, what is loaded where, what is refused."""

import asyncio
import logging
from pathlib import Path

import pytest

from gateway.engines.base import ReplicaStatus
from gateway.engines.replica import Pace
from gateway.engines.replicas import Replicas
from gateway.errors import AdapterRefused, EngineDown, UnknownModel
from tests.gateway.engines.fleet import COMPLETIONS, LOAD, asked_of, fleet, until
from tests.gateway.engines.vllm_double import VllmDouble, error


async def test_a_version_is_loaded_and_warmed_on_every_replica(
    folder: Path, one: VllmDouble, two: VllmDouble
) -> None:
    async with fleet(folder, one, two) as made:
        for double in (one, two):
            assert double.adapters == {"support@1": str(made.folder_of("support@1"))}
            (warming,) = [b for b in double.bodies(COMPLETIONS) if b["model"] == "support@1"]
            assert warming["max_tokens"] == 1
            text = double.tokenizer.decode(warming["prompt"])
            assert "Route the request to the tools of support." in text
        await made.replicas.unload("support@1")
        assert one.adapters == two.adapters == {}
        with pytest.raises(UnknownModel, match="support@1 is not loaded"):
            await made.ask()


async def test_a_version_waits_a_moment_for_its_warming_prompt_and_serves_without_it(
    folder: Path, one: VllmDouble, caplog: pytest.LogCaptureFixture
) -> None:
    async with fleet(folder, one) as made:
        one.hangs.add(COMPLETIONS)
        await made.load("support@2")
        assert [b["model"] for b in one.bodies(COMPLETIONS)][-1] == "support@2"
        assert made.replicas.status[0].in_flight == 1
        assert "support@2" in made.replicas.status[0].loaded
        one.hangs.clear()
        with caplog.at_level(logging.WARNING, "gateway.engines"):
            one.cut()
            await until(lambda: made.replicas.status[0].in_flight == 0)
            assert await made.ask("support@2")
        assert "adapter support@2 was not warmed" in caplog.text


async def test_prompts_go_in_turn_and_to_the_replica_with_the_fewest_under_way(
    folder: Path, one: VllmDouble, two: VllmDouble
) -> None:
    async with fleet(folder, one, two) as made:
        assert {await made.ask() for _ in range(2)} == {one.url[:8], two.url[:8]}
        one.hangs.add(COMPLETIONS)
        waiting = made.asks(2)
        await until(lambda: made.replicas.status[0].in_flight == 1)
        await until(lambda: sum(task.done() for task in waiting) == 1)
        for _ in range(4):
            await made.ask()
        assert (asked_of(one), asked_of(two)) == (2, 6)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        assert made.replicas.status[0].in_flight == 0


async def test_a_version_that_one_replica_refuses_is_forgotten_by_all(
    folder: Path, one: VllmDouble, two: VllmDouble
) -> None:
    async with fleet(folder, one, two) as made:
        two.instead[LOAD] = error(500, "LoRA rank 64 is greater than max_lora_rank 16.")
        with pytest.raises(AdapterRefused, match=r"support@2: vLLM does not load it: LoRA rank 64"):
            await made.load("support@2")
        assert list(one.adapters) == list(two.adapters) == ["support@1"]
        with pytest.raises(UnknownModel):
            await made.ask("support@2")
        assert made.states == ["ready", "ready"]
        two.instead.clear()
        await made.load("support@2")
        assert list(two.adapters) == ["support@1", "support@2"]


async def test_a_version_with_which_a_healthy_server_cannot_answer_is_refused(
    folder: Path, vllm: VllmDouble
) -> None:
    async with fleet(folder, vllm) as made:
        vllm.instead[COMPLETIONS] = error(500, "shape mismatch", "InternalServerError")
        with pytest.raises(AdapterRefused, match=r"support@2: .* fails with it: .*shape mismatch"):
            await made.load("support@2")
        vllm.instead.clear()
        assert list(vllm.adapters) == ["support@1"]
        assert await made.ask() == vllm.url[:8]


async def test_a_version_in_service_stays_when_loading_it_again_is_refused(
    folder: Path, one: VllmDouble, two: VllmDouble
) -> None:
    async with fleet(folder, one, two) as made:
        two.lost.add(str(made.folder_of("support@1")))
        two.restart()
        assert {await made.ask() for _ in range(2)} == {one.url[:8]}
        await until(lambda: len(two.bodies(LOAD)) == 2)
        await made.until_ready(0, 1)
        with pytest.raises(AdapterRefused, match="No adapter found"):
            await made.load("support@1")
        assert await made.ask() == one.url[:8]
        (_, refusing) = made.replicas.status
        assert refusing.loaded == ()
        assert "No adapter found" in (refusing.error or "")


async def test_an_adapter_that_no_server_can_serve_is_refused_before_any_is_asked(
    folder: Path, one: VllmDouble
) -> None:
    one.kill()
    seen = {folder.parent / "elsewhere": "/adapters"}
    async with fleet(folder, one, pace=Pace(start=0), ready=False, load=(), folders=seen) as made:
        with pytest.raises(AdapterRefused, match="vLLM does not see"):
            await made.load("support@1")
        with pytest.raises(UnknownModel):
            await made.ask()


async def test_a_load_that_nobody_waits_for_is_not_wanted(folder: Path, vllm: VllmDouble) -> None:
    async with fleet(folder, vllm) as made:
        vllm.hangs.add(LOAD)
        waiting = asyncio.create_task(made.load("support@2"))
        await until(lambda: len(vllm.bodies(LOAD)) == 2)
        waiting.cancel()
        await asyncio.wait([waiting])
        with pytest.raises(UnknownModel):
            await made.ask("support@2")
        assert await made.ask() == vllm.url[:8]


async def test_an_engine_with_too_much_to_do_refuses_prompts_and_stays_in_service(
    folder: Path, vllm: VllmDouble
) -> None:
    async with fleet(folder, vllm, max_queue=1) as made:
        vllm.hangs.add(COMPLETIONS)
        (waiting,) = made.asks(1)
        await until(lambda: made.replicas.status[0].in_flight == 1)
        with pytest.raises(EngineDown, match="1 prompts wait"):
            await made.ask()
        assert made.states == ["ready"]
        waiting.cancel()
        await asyncio.wait([waiting])


async def test_a_stopped_engine_says_so_and_leaves_the_servers_as_they_are(
    folder: Path, vllm: VllmDouble
) -> None:
    async with fleet(folder, vllm) as made:
        await made.replicas.close()
        with pytest.raises(EngineDown, match="the engine is stopped"):
            await made.ask()
        assert list(vllm.adapters) == ["support@1"]


async def test_a_folder_without_a_tokenizer_stops_the_start(
    tmp_path: Path, vllm: VllmDouble
) -> None:
    replicas = Replicas([vllm.engine(tmp_path / "empty")])
    with pytest.raises(EngineDown, match=r"empty holds no tokenizer\.json"):
        await replicas.start()
    assert not vllm.asked
    await replicas.close()


async def test_the_status_tells_of_each_server_how_it_does(
    folder: Path, one: VllmDouble, two: VllmDouble
) -> None:
    two.kill()
    async with fleet(folder, one, two, ready=False) as made:
        await until(lambda: made.states == ["ready", "down"])
        up, down = made.replicas.status
        assert up == ReplicaStatus(one.url, "ready", 0, ("support@1",), None)
        assert (down.url, down.loaded) == (two.url, ())
        assert down.error == f"vLLM at {two.url} cannot be reached: connection refused"
        assert await made.replicas.weights_digest() is None


@pytest.mark.parametrize(
    ("failures", "low", "high"), [(0, 0, 0), (1, 0.25, 0.5), (3, 1, 2), (9, 5, 10), (9999, 5, 10)]
)
def test_pauses_grow_to_a_bound_and_are_shortened_by_chance(
    failures: int, low: float, high: float
) -> None:
    pauses = [Pace().pause(failures) for _ in range(50)]
    assert all(low <= pause <= high for pause in pauses)
    assert len(set(pauses)) > 1 or not failures
