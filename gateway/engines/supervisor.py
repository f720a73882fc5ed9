"""Keeps one server process serving: readiness, restart after a pause, a clean stop.

Knows a command and the address that answers 200 when it serves, not what kind of server it is
(`vllm_command.py`) and not who listens to the news (`gateway.commands.engine`).

    start -> wait for health -> serve -> ended or sick -> end the group -> pause -> start ...

A server that was ready once is started again for as long as it takes. One that never was is given
up after a few attempts: it is wrong, not unlucky.
"""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import httpx

from gateway.engines.backoff import backoff
from gateway.engines.child import Child, Sink
from gateway.errors import EngineDown

_ANSWER_S = 5.0


@dataclass(frozen=True, slots=True)
class Policy:
    """Times in seconds. `ready` from start to health, `look` between two looks at it, `sick` how
    long health may fail before the server is ended, `grace` for its own shutdown. Pauses double
    from `first_pause` to `longest_pause`, and begin anew after `steady` of service. `attempts`:
    starts without success, before any other, after which it is given up."""

    ready: float = 900.0
    look: float = 0.5
    sick: float = 30.0
    grace: float = 15.0
    first_pause: float = 1.0
    longest_pause: float = 60.0
    steady: float = 300.0
    attempts: int = 3

    def pause(self, failures: int, chance: float) -> float:
        """Seconds to wait after so many failures in a row, `chance` from 0 to 1."""
        return backoff(failures, self.first_pause, self.longest_pause, chance)


@dataclass(frozen=True, slots=True)
class Ready:
    """The server answers, `seconds` after its start."""

    pid: int
    seconds: float
    starts: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The server is gone, and why; it is started again after `pause` seconds."""

    pid: int
    why: str
    pause: float


News = Callable[[Ready | Ended], None]


class Supervisor:
    """Runs one command until told to stop."""

    def __init__(
        self,
        command: Sequence[str],
        environ: Mapping[str, str],
        health: str,
        *,
        sink: Sink,
        news: News,
        policy: Policy | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`health` is the URL to look at; `sink` gets the lines that the server prints."""
        self._command = command
        self._environ = environ
        self._health = health
        self._sink = sink
        self._news = news
        self._policy = policy or Policy()
        self._chance = chance
        self._starts = 0
        self._ready_at: float | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Keep the server running until `stop` is set; nothing of it is left afterwards.

        Raises:
            EngineDown: it cannot be started, or was never ready in the first attempts.
        """
        failures, ever_ready = 0, False
        async with httpx.AsyncClient(timeout=_ANSWER_S, trust_env=False) as client:
            while True:
                pid, why = await self._one_life(client, stop)
                if why is None:
                    return
                ever_ready = ever_ready or self._ready_at is not None
                failures = 1 if self._was_steady() else failures + 1
                if not ever_ready and failures >= self._policy.attempts:
                    raise EngineDown(
                        f"the engine's server was started {failures} times and never ready; "
                        f"the last time {why}, and its log says more"
                    )
                pause = self._policy.pause(failures, self._chance())
                self._news(Ended(pid, why, pause))
                if await _set_within(stop, pause):
                    return

    async def _one_life(
        self, client: httpx.AsyncClient, stop: asyncio.Event
    ) -> tuple[int, str | None]:
        """From one start to its end. Returns the process id, and why it ended, None if told to."""
        self._ready_at = None
        self._starts += 1
        try:
            child = await Child.start(self._command, self._environ, self._sink)
        except OSError as exc:
            raise EngineDown(f"{self._command[0]} cannot be run: {exc.strerror}") from exc
        exited = asyncio.create_task(child.wait())
        looking = asyncio.create_task(self._look_after(child.pid, client))
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((exited, looking, stopped), return_when=asyncio.FIRST_COMPLETED)
            if stopped.done():
                return child.pid, None
            return child.pid, _exit(exited.result()) if exited.done() else looking.result()
        finally:
            for task in (exited, looking, stopped):
                task.cancel()
            await child.end(self._policy.grace)

    async def _look_after(self, pid: int, client: httpx.AsyncClient) -> str:
        """Look at the server's health for as long as it is well. Returns what is wrong then."""
        loop, policy = asyncio.get_running_loop(), self._policy
        started = well = loop.time()
        while True:
            wrong = await self._unhealthy(client)
            now = loop.time()
            if wrong is None:
                well = now
                if self._ready_at is None:
                    self._ready_at = now
                    self._news(Ready(pid, now - started, self._starts))
            elif self._ready_at is None and now - started >= policy.ready:
                return f"it was not ready within {policy.ready:g} s: {wrong}"
            elif self._ready_at is not None and now - well >= policy.sick:
                return f"it has not been well for {policy.sick:g} s: {wrong}"
            await asyncio.sleep(policy.look)

    async def _unhealthy(self, client: httpx.AsyncClient) -> str | None:
        try:
            answer = await client.get(self._health)
        except httpx.HTTPError as exc:
            return str(exc) or type(exc).__name__
        return None if answer.is_success else f"{self._health} answers {answer.status_code}"

    def _was_steady(self) -> bool:
        if self._ready_at is None:
            return False
        return asyncio.get_running_loop().time() - self._ready_at >= self._policy.steady


def _exit(code: int) -> str:
    return f"it was ended by signal {-code}" if code < 0 else f"it ended with exit code {code}"


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True
