"""A gateway over vLLM servers: what its faces say while they are down, and once they are back."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.config import AdapterConfig, RecordsConfig
from gateway.engines.replica import Pace
from gateway.engines.replicas import Replicas
from gateway.engines.vllm import VllmEngine
from gateway.engines.vllm_server import Patience
from tests.adapters import write_adapter
from tests.gateway.adapters.yard import NO_TOOL, PROBE
from tests.gateway.engines.fleet import until
from tests.gateway.engines.vllm_double import VllmDouble
from tests.gateway.serving import TRACK, Served, desk, problem_of, served, settings

HURRIED = Pace(start=0.0, look=0.01, first_pause=0.001, longest_pause=0.01)
PATIENT = Pace(start=60.0, look=0.01, first_pause=0.001, longest_pause=0.01)
"""Waits for its servers before it starts."""


@asynccontextmanager
async def over(tmp_path: Path, folder: Path, vllm: VllmDouble) -> AsyncGenerator[Served]:
    replicas = Replicas([vllm.engine(folder)], HURRIED)
    async with served(settings(tmp_path, desk(tmp_path / "desk").config()), replicas) as gateway:
        vllm.wants = json.dumps(TRACK)
        yield gateway


def probed(folder: Path) -> Path:
    """An adapter that has a probe to answer."""
    return write_adapter(folder, probes=[PROBE])


async def readiness(gateway: Served) -> tuple[int, list[str]]:
    answer = await gateway.client.get("/readyz")
    return answer.status_code, answer.json()["missing"]


async def until_ready(gateway: Served) -> None:
    (replica,) = [gateway.parts.engine]
    await until(lambda: [each.state for each in replica.status] == ["ready"])


async def test_a_gateway_starts_without_its_engine_and_says_what_is_missing(
    tmp_path: Path, folder: Path, vllm: VllmDouble
) -> None:
    vllm.kill()
    async with over(tmp_path, folder, vllm) as gateway:
        await until(lambda: gateway.parts.engine.status[0].state == "down")
        refused = f"vLLM at {vllm.url} cannot be reached: connection refused"
        assert await readiness(gateway) == (503, [f"replica {vllm.url}: {refused}"])
        answer = await gateway.route()
        assert problem_of(answer)["code"] == "engine_down"
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "2"
        gauge = f'pointsman_engine_up{{replica="{vllm.url}"}}'
        assert f"{gauge} 0.0" in (await gateway.client.get("/metrics")).text
        vllm.restart()
        await until_ready(gateway)
        assert await readiness(gateway) == (200, [])
        assert f"{gauge} 1.0" in (await gateway.client.get("/metrics")).text
        answer = await gateway.route()
        assert (answer.status_code, answer.json()["call"]) == (200, TRACK)


async def test_an_operator_cannot_activate_what_no_server_has_proved(
    tmp_path: Path, folder: Path, vllm: VllmDouble
) -> None:
    async with over(tmp_path, folder, vllm) as gateway:
        await until_ready(gateway)
        first = (await gateway.route()).json()["model"]
        second = (await gateway.parts.store.add(probed(tmp_path / "second"))).version
        activate = f"/admin/adapters/{second}/activate"
        vllm.kill()
        await until(lambda: gateway.parts.engine.status[0].state == "down")
        problem = problem_of(await gateway.client.post(activate))
        assert (problem["status"], problem["code"]) == (409, "adapter_refused")
        assert f"{second}: step probe failed: no replica can answer" in problem["detail"]
        assert "connection refused" in problem["detail"]
        vllm.restart()
        await until_ready(gateway)
        assert list(vllm.adapters) == [first]
        assert (await gateway.route()).json()["model"] == first
        assert (await gateway.client.post(activate)).status_code == 200
        assert (await gateway.route()).json()["model"] == second


async def test_a_gateway_starts_over_servers_of_which_one_no_longer_answers_as_it_must(
    tmp_path: Path, folder: Path, one: VllmDouble, two: VllmDouble
) -> None:
    one.wants, two.wants = json.dumps(NO_TOOL), json.dumps(TRACK)
    replicas = Replicas([one.engine(folder), two.engine(folder)], HURRIED)
    await replicas.start()
    await until(lambda: all(each.state == "ready" for each in replicas.status))
    configured = (AdapterConfig(folder=probed(tmp_path / "probed")),)
    config = settings(tmp_path, desk(tmp_path / "desk").config(), adapters=configured)
    async with served(config, replicas) as gateway:
        for _ in range(3):
            assert (await gateway.route()).json()["call"] == TRACK
        wrong, right = replicas.status
        assert (wrong.loaded, len(right.loaded)) == ((), 1)
        assert f"wants {json.dumps(TRACK)}" in (wrong.error or "")


async def test_a_gateway_starts_over_a_server_that_has_its_version_from_another_folder(
    tmp_path: Path, folder: Path, vllm: VllmDouble
) -> None:
    vllm.wants = json.dumps(TRACK)
    first, second = tmp_path / "release1" / "support", tmp_path / "release2" / "support"
    probed(first)
    shutil.copytree(first, second)
    for place in (first, second):
        configured = (AdapterConfig(folder=place),)
        config = settings(tmp_path, desk(tmp_path / "desk").config(), adapters=configured)
        async with served(config, Replicas([vllm.engine(folder)], PATIENT)) as gateway:
            assert (await gateway.route()).status_code == 200
            assert list(vllm.adapters.values()) == [str(place)]


async def test_a_version_that_was_added_and_is_then_configured_serves_on(
    tmp_path: Path, folder: Path, vllm: VllmDouble
) -> None:
    vllm.wants = json.dumps(TRACK)
    source = probed(tmp_path / "made")
    config = settings(
        tmp_path,
        desk(tmp_path / "desk").config(),
        adapter=False,
        records=RecordsConfig(path=str(tmp_path / "records.sqlite")),
    )
    async with served(config, Replicas([vllm.engine(folder)], PATIENT)) as gateway:
        version = (await gateway.parts.store.add(source)).version
        answer = await gateway.client.post(
            f"/admin/adapters/{version}/activate", json={"toolset": "support"}
        )
        assert answer.status_code == 200
        held = dict(vllm.adapters)
    config = config.model_copy(update={"adapters": (AdapterConfig(folder=source),)})
    async with served(config, Replicas([vllm.engine(folder)], PATIENT)) as gateway:
        answer = await gateway.route()
        assert (answer.status_code, answer.json()["model"]) == (200, version)
        assert vllm.adapters == held


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def process(folder: Path, port: int) -> "subprocess.Popen[bytes]":
    """The double as a process of its own, which the system can kill."""
    command = [sys.executable, "-m", "tests.gateway.engines.vllm_process", folder, port]
    return subprocess.Popen(list(map(str, command)), cwd=Path(__file__).parents[3])


async def test_a_server_killed_with_sigkill_under_load_is_served_by_again_with_every_adapter(
    tmp_path: Path, folder: Path, port: int
) -> None:
    vllm = process(folder, port)
    url = f"http://127.0.0.1:{port}"
    pace = Pace(start=120.0, look=0.05, first_pause=0.05, longest_pause=0.2)
    engine = VllmEngine(url, folder, patience=Patience(look=0.01))
    config = settings(tmp_path, desk(tmp_path / "desk").config())
    try:
        async with served(config, Replicas([engine], pace)) as gateway:
            assert (await gateway.route()).json()["outcome"] == "no_tool"
            requests = [asyncio.create_task(gateway.route("slowly")) for _ in range(4)]
            await until(lambda: gateway.parts.engine.status[0].in_flight == 4)
            os.kill(vllm.pid, signal.SIGKILL)
            vllm.wait()
            for answer in await asyncio.gather(*requests):
                assert answer.status_code == 503
                assert url in problem_of(answer)["detail"]
            assert (await gateway.route()).status_code == 503
            vllm = process(folder, port)
            await until_ready(gateway)
            assert (await gateway.route()).json()["outcome"] == "no_tool"
    finally:
        vllm.kill()
        vllm.wait()
