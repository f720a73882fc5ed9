"""vLLM servers that are down, die, hang, forget, come back and join: what agents see of it."""

import asyncio
import logging
from pathlib import Path

import httpx
import pytest

from gateway.engines.replica import Pace
from gateway.errors import EngineDown
from tests.gateway.engines.fleet import (
    COMPLETIONS,
    LOAD,
    WATCHFUL,
    Fleet,
    asked_of,
    fleet,
    until,
)
from tests.gateway.engines.tokenizer_folder import write_tokenizer
from tests.gateway.engines.vllm_double import QUICK, VllmDouble, error

HURRIED = Pace(start=0.0, look=3600.0, first_pause=0.001, longest_pause=0.01)


async def outcomes(tasks: "list[asyncio.Task[str]]") -> list[str | BaseException]:
    async with asyncio.timeout(60):
        return await asyncio.gather(*tasks, return_exceptions=True)


async def test_the_engine_starts_while_its_server_is_down_and_serves_once_it_is_up(
    folder: Path, vllm: VllmDouble
) -> None:
    vllm.kill()
    async with fleet(folder, vllm, pace=HURRIED, ready=False, load=("a@1", "b@2")) as made:
        await until(lambda: made.states == ["down"])
        with pytest.raises(EngineDown, match=r"no replica can answer: .* connection refused"):
            await made.ask("a@1")
        vllm.restart()
        await made.until_ready(0)
        assert set(vllm.adapters) == {"a@1", "b@2"}
        assert await made.ask("a@1") == vllm.url[:8]


async def test_why_a_server_is_down_is_logged_once_and_what_is_new_again(
    folder: Path, vllm: VllmDouble, caplog: pytest.LogCaptureFixture
) -> None:
    vllm.instead["/health"] = httpx.Response(503)
    with caplog.at_level(logging.WARNING, "gateway.engines"):
        async with fleet(folder, vllm, pace=HURRIED, ready=False):
            await until(lambda: len(vllm.asked) > 5)
            vllm.instead["/health"] = httpx.Response(500)
            await until(lambda: len(vllm.asked) > 10)
    told = [record.message for record in caplog.records if "out of service" in record.message]
    assert [message[-3:] for message in told] == ["503", "500"]


async def test_a_server_killed_under_load_costs_the_prompts_in_flight_alone(
    folder: Path, vllm: VllmDouble
) -> None:
    async with fleet(folder, vllm, load=("a@1", "b@2")) as made:
        vllm.hangs.add(COMPLETIONS)
        in_flight = made.asks(3, "a@1")
        await until(lambda: asked_of(vllm, "a@1") == 3)
        vllm.kill()
        for error_ in await outcomes(in_flight):
            assert isinstance(error_, EngineDown)
            assert "cannot be reached: connection reset" in str(error_)
        with pytest.raises(EngineDown, match="no replica can answer"):
            await made.ask("a@1")
        vllm.hangs.clear()
        vllm.restart()
        await made.until_ready(0)
        assert set(vllm.adapters) == {"a@1", "b@2"}
        assert await made.ask("b@2") == vllm.url[:8]


async def test_prompts_of_a_server_that_dies_are_answered_by_another_that_lives(
    folder: Path, one: VllmDouble, two: VllmDouble
) -> None:
    async with fleet(folder, one, two) as made:
        one.hangs.add(COMPLETIONS)
        in_flight = made.asks(4)
        await until(lambda: sum(task.done() for task in in_flight) >= 2 and asked_of(one))
        one.kill()
        assert await outcomes(in_flight) == [two.url[:8]] * 4
        assert made.states[1] == "ready"
        assert await made.ask() == two.url[:8]


@pytest.mark.parametrize("noticed_by", ["a prompt", "a look"])
async def test_a_server_that_forgot_its_adapters_gets_them_back_before_any_prompt(
    folder: Path, one: VllmDouble, two: VllmDouble, noticed_by: str
) -> None:
    pace = {"pace": WATCHFUL} if noticed_by == "a look" else {}
    async with fleet(folder, one, two, **pace) as made:
        one.restart()
        if noticed_by == "a prompt":
            assert {await made.ask() for _ in range(2)} == {two.url[:8]}
        await until(lambda: one.adapters)
        await made.until_ready(0, 1)
        assert one.bodies(COMPLETIONS)[-1]["max_tokens"] == 1  # warmed, and nothing since
        assert {await made.ask() for _ in range(2)} == {one.url[:8], two.url[:8]}


async def test_a_server_that_joins_late_gets_every_adapter_before_any_prompt(
    folder: Path, one: VllmDouble, two: VllmDouble
) -> None:
    two.kill()
    async with fleet(folder, one, two, ready=False, patience=QUICK) as made:
        await made.load("support@2")
        two.hangs.add(LOAD)
        two.restart()
        await until(lambda: two.bodies(LOAD))
        assert {await made.ask() for _ in range(4)} == {one.url[:8]}
        two.hangs.clear()
        await made.until_ready(1)
        assert set(two.adapters) == {"support@1", "support@2"}
        assert {await made.ask("support@2") for _ in range(2)} == {one.url[:8], two.url[:8]}


async def test_a_server_that_hangs_is_taken_out_and_its_prompt_is_not_waited_for_twice(
    folder: Path, one: VllmDouble, two: VllmDouble
) -> None:
    async with fleet(folder, one, two, patience=QUICK) as made:
        one.hangs.add(COMPLETIONS)
        results = await outcomes(made.asks(2))
        assert [str(r) for r in results if isinstance(r, EngineDown)] == [
            f"vLLM at {one.url} did not answer in time (ReadTimeout)"
        ]
        await until(lambda: "ReadTimeout" in (made.replicas.status[0].error or ""))
        assert [await made.ask() for _ in range(3)] == [two.url[:8]] * 3
        one.hangs.clear()
        await made.until_ready(0)


async def test_a_server_that_answers_nothing_but_errors_is_taken_out_until_it_answers(
    folder: Path, one: VllmDouble, two: VllmDouble
) -> None:
    async with fleet(folder, one, two) as made:
        one.instead[COMPLETIONS] = error(500, "CUDA out of memory", "InternalServerError")
        assert [await made.ask() for _ in range(2)] == [two.url[:8]] * 2
        await until(lambda: made.states == ["down", "ready"])
        assert "500: CUDA out of memory" in (made.replicas.status[0].error or "")
        one.instead.clear()
        await made.until_ready(0)


async def test_a_prompt_that_makes_every_server_fail_takes_none_of_them_out(
    folder: Path, one: VllmDouble, two: VllmDouble
) -> None:
    async with fleet(folder, one, two) as made:
        for double in (one, two):
            poison(double, "boom")
        with pytest.raises(EngineDown, match="500: bad prompt"):
            await made.ask(text="boom")
        assert asked_of(one) == asked_of(two) == 1
        # Each is looked at, completes the proof, and stays.
        await until(lambda: all(d.bodies(COMPLETIONS)[-1]["model"] == d.base for d in (one, two)))
        assert made.states == ["ready", "ready"]
        assert {await made.ask() for _ in range(2)} == {one.url[:8], two.url[:8]}


async def test_a_server_killed_while_it_loads_has_the_version_when_it_is_back(
    folder: Path, vllm: VllmDouble
) -> None:
    async with fleet(folder, vllm) as made:
        vllm.hangs.add(LOAD)
        loading = asyncio.create_task(made.load("support@2"))
        await until(lambda: len(vllm.bodies(LOAD)) == 2)
        vllm.kill()
        async with asyncio.timeout(60):
            await loading
        with pytest.raises(EngineDown, match="no replica can answer"):
            await made.ask("support@2")
        vllm.hangs.clear()
        vllm.restart()
        await made.until_ready(0)
        assert await made.ask("support@2") == vllm.url[:8]


async def test_what_a_dead_server_was_to_forget_is_gone_before_it_serves_again(
    folder: Path, vllm: VllmDouble
) -> None:
    async with fleet(folder, vllm, load=("support@1", "support@2")) as made:
        kept = dict(vllm.adapters) | {"somebody@3": "/else"}
        await lose(made, vllm)
        await made.replicas.unload("support@1")
        vllm.restart()
        vllm.adapters.update(kept)  # it was away, not restarted
        await made.until_ready(0)
        assert set(vllm.adapters) == {"support@2", "somebody@3"}


async def test_a_server_that_refuses_one_adapter_serves_the_others(
    folder: Path, vllm: VllmDouble
) -> None:
    async with fleet(folder, vllm, load=("support@1", "support@2"), pace=WATCHFUL) as made:
        vllm.lost.add(str(made.folder_of("support@1")))
        await lose(made, vllm)
        vllm.restart()
        await made.until_ready(0)
        assert await made.ask("support@2") == vllm.url[:8]
        with pytest.raises(EngineDown, match="support@1: vLLM does not load it"):
            await made.ask("support@1")
        vllm.lost.clear()
        await until(lambda: made.replicas.status[0].loaded == ("support@1", "support@2"))
        assert await made.ask("support@1") == vllm.url[:8]


async def test_a_server_with_another_base_model_gets_no_prompts(
    folder: Path, one: VllmDouble, tmp_path: Path
) -> None:
    other = VllmDouble(write_tokenizer(tmp_path / "other", markers=("<b>",)), "other")
    namesake = VllmDouble(folder, "namesake")
    namesake.base = "/models/another"
    for late in (other, namesake):
        late.kill()
    async with fleet(folder, one, other, namesake, ready=False) as made:
        for late in (other, namesake):
            late.restart()
        await until(lambda: "another tokenizer" in (made.replicas.status[1].error or ""))
        await until(lambda: "the other replicas /models/base" in str(made.replicas.status[2].error))
        assert {await made.ask() for _ in range(3)} == {one.url[:8]}
        assert other.adapters == namesake.adapters == {}


async def test_what_was_asked_of_a_server_before_it_came_back_does_not_take_it_out(
    folder: Path, one: VllmDouble, two: VllmDouble
) -> None:
    async with fleet(folder, one, two) as made:
        one.hangs.add(COMPLETIONS)
        waiting = made.asks(2)
        await until(lambda: asked_of(one) == asked_of(two) == 1)
        one.hangs.clear()
        one.adapters.clear()
        # With one under way already, the second or third of these finds the adapter forgotten.
        assert await outcomes(made.asks(3)) == [two.url[:8]] * 3
        await until(lambda: one.adapters)
        await made.until_ready(0, 1)
        one.cut()
        assert await outcomes(waiting) == [two.url[:8]] * 2
        assert made.states == ["ready", "ready"]


def poison(double: VllmDouble, text: str) -> None:
    """Have a double fail on every prompt with a text, as an engine's bug would."""
    handle = double.handle

    async def failing(request: httpx.Request) -> httpx.Response:
        answer = await handle(request)
        if request.url.path == COMPLETIONS:
            prompt = double.asked[-1][1]["prompt"]
            if text in double.tokenizer.decode(prompt):
                return error(500, "bad prompt", "InternalServerError")
        return answer

    double.handle = failing


async def lose(made: Fleet, double: VllmDouble) -> None:
    """Kill a double, and have it noticed."""
    double.kill()
    with pytest.raises(EngineDown):
        await made.ask("support@2")
    await until(lambda: made.states == ["down"])
