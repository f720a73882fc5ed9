"""Supervision of a real process: it is kept serving, and nothing of it is left when it stops."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from gateway.engines.supervisor import Ended, Policy, Ready, Supervisor
from gateway.errors import EngineDown
from tests.gateway.cli_gateway import unused_port
from tests.gateway.engines import vllm_program

PATIENCE_S = 120.0
QUICK = Policy(
    ready=PATIENCE_S, look=0.02, sick=10 * PATIENCE_S, grace=30,
    first_pause=0.02, longest_pause=0.1, attempts=2,
)  # fmt: skip
"""Quick, but for what would be a race with a slow machine: a death is to be seen as one."""


class Watched:
    """A supervisor at work, its news and the lines its server printed."""

    def __init__(self, policy: Policy, *flags: str) -> None:
        self.port = unused_port()
        self.lines: list[bytes] = []
        self.stop = asyncio.Event()
        self._news: asyncio.Queue[Ready | Ended] = asyncio.Queue()
        command = (sys.executable, vllm_program.__file__, "--port", str(self.port), *flags)
        supervisor = Supervisor(
            command, os.environ, f"http://127.0.0.1:{self.port}/health",
            sink=self.lines.append, news=self._news.put_nowait, policy=policy, chance=lambda: 0.0,
        )  # fmt: skip
        self.run = asyncio.create_task(supervisor.run(self.stop))

    async def news(self) -> Ready | Ended:
        return await asyncio.wait_for(self._news.get(), PATIENCE_S)

    async def ask(self, path: str) -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            with contextlib.suppress(httpx.TransportError):  # it may die of the question
                await client.get(f"http://127.0.0.1:{self.port}{path}")


@contextlib.asynccontextmanager
async def watched(policy: Policy, *flags: str) -> AsyncIterator[Watched]:
    at_work = Watched(policy, *flags)
    try:
        yield at_work
    finally:
        at_work.stop.set()
        with contextlib.suppress(EngineDown):
            await asyncio.wait_for(at_work.run, PATIENCE_S)


def is_running(pid: int) -> bool:
    """Whether a process runs; one that is dead but not yet collected does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def test_a_server_that_dies_is_started_again_and_its_lines_are_passed_on() -> None:
    async with watched(QUICK) as at_work:
        first = await at_work.news()
        await at_work.ask("/die")
        ended, second = await at_work.news(), await at_work.news()
    assert isinstance(first, Ready)
    assert isinstance(ended, Ended)
    assert isinstance(second, Ready)
    assert (first.starts, ended.pid, second.starts) == (1, first.pid, 2)
    assert "exit code 7" in ended.why
    assert at_work.lines.count(b"vLLM's double is up") == 2


async def test_a_server_that_falls_ill_is_ended_and_started_again() -> None:
    async with watched(replace(QUICK, sick=0.2)) as at_work:
        first = await at_work.news()
        await at_work.ask("/ill")
        ended, second = await at_work.news(), await at_work.news()
        assert not is_running(first.pid)
    assert isinstance(ended, Ended)
    assert "503" in ended.why
    assert isinstance(second, Ready)


async def test_a_server_that_never_comes_up_is_given_up() -> None:
    async with watched(QUICK, "--fail", "3") as at_work:
        with pytest.raises(EngineDown, match=r"started 2 times .* exit code 3"):
            await asyncio.wait_for(at_work.run, PATIENCE_S)


async def test_a_server_that_is_not_ready_in_time_is_ended() -> None:
    hasty = Policy(ready=0.0, look=0.02, first_pause=0.02, attempts=1)
    async with watched(hasty) as at_work:
        with pytest.raises(EngineDown, match="not ready within 0 s"):
            await asyncio.wait_for(at_work.run, PATIENCE_S)


async def test_a_command_that_cannot_be_run_is_told() -> None:
    supervisor = Supervisor(
        ["/no/such/python"], {}, "http://127.0.0.1:1/health", sink=print, news=print
    )
    with pytest.raises(EngineDown, match="/no/such/python cannot be run"):
        await supervisor.run(asyncio.Event())


async def test_what_ignores_the_signal_to_stop_is_killed_with_all_it_started(
    tmp_path: Path,
) -> None:
    impatient = Policy(ready=60, look=0.02, grace=0.05)
    async with watched(impatient, "--deaf", "--child", str(tmp_path / "pid")) as at_work:
        ready = await at_work.news()
        child = int((tmp_path / "pid").read_text())
        assert is_running(ready.pid)
        assert is_running(child)
    assert not is_running(ready.pid)
    assert not is_running(child)


async def test_what_a_dead_server_leaves_behind_ends_before_the_next_start(tmp_path: Path) -> None:
    async with watched(QUICK, "--child", str(tmp_path / "pid")) as at_work:
        await at_work.news()
        child = int((tmp_path / "pid").read_text())
        await at_work.ask("/die")
        ended = await at_work.news()
        assert isinstance(ended, Ended)
        assert "exit code 7" in ended.why  # though what it left holds its output open
        assert not is_running(child)


_SUPERVISING = """
import asyncio, os, sys
from gateway.engines.supervisor import Supervisor

def tell(news):
    print(news.pid, flush=True)

url, *command = sys.argv[1:]
supervisor = Supervisor(command, os.environ, url, sink=lambda line: None, news=tell)
asyncio.run(supervisor.run(asyncio.Event()))
"""


async def test_a_supervisor_that_is_killed_leaves_no_process_behind(tmp_path: Path) -> None:
    port = str(unused_port())
    supervising = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _SUPERVISING, f"http://127.0.0.1:{port}/health",
        sys.executable, vllm_program.__file__, "--port", port, "--child", str(tmp_path / "pid"),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert supervising.stdout is not None
    leader = int(await asyncio.wait_for(supervising.stdout.readline(), PATIENCE_S))
    child = int((tmp_path / "pid").read_text())  # which ignores SIGTERM
    supervising.kill()
    await supervising.wait()
    async with asyncio.timeout(PATIENCE_S):
        while is_running(leader) or is_running(child):
            await asyncio.sleep(0.05)


def test_pauses_double_up_to_the_longest_and_vary_by_half() -> None:
    policy = Policy(first_pause=1, longest_pause=60)
    assert [policy.pause(n, 1.0) for n in (1, 2, 3, 7, 1000)] == [1, 2, 4, 60, 60]
    assert [policy.pause(n, 0.0) for n in (1, 2, 7)] == [0.5, 1, 30]
