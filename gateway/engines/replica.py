"""One vLLM server among several: kept in the wanted state, taken out when it fails, brought back.

A task per replica (`keep`) starts it, has every wanted adapter loaded, warmed and proven
(`holdings.py`), and only then lets it have prompts. From then on it looks at the server: one that
died, was restarted or has forgotten an adapter is taken out and brought up anew. Below stands the
engine of one server, above `Replicas`, which owns the wanted state and chooses who is asked.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from gateway.engines.backoff import backoff
from gateway.engines.base import Completion, Prompt, ReplicaStatus
from gateway.engines.holdings import Holdings, Wanted
from gateway.engines.vllm import VllmEngine
from gateway.engines.vllm_server import ServerFailed
from gateway.errors import AdapterRefused, EngineDown

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """In seconds: how long a start waits for the first replica, the time between two looks at one
    that is ready, and the pauses between attempts to bring one up (doubled from the first to the
    longest, each shortened by chance by up to a half)."""

    start: float = 10.0
    look: float = 5.0
    first_pause: float = 0.5
    longest_pause: float = 10.0

    def pause(self, failures: int) -> float:
        """How long to wait after so many failed attempts in a row; not at all before the first."""
        return backoff(failures, self.first_pause, self.longest_pause, random.random())


class Replica:
    """One server with what it holds. `ready` is set as long as it may have prompts."""

    def __init__(
        self,
        engine: VllmEngine,
        wanted: Mapping[str, Wanted],
        pace: Pace,
        peers: Callable[[], str | None],
    ) -> None:
        """`wanted` is changed by its owner at any time; `peers` tells the name of the base model
        that the replicas which are ready run."""
        self.engine = engine
        self.ready = asyncio.Event()
        self._pace = pace
        self._peers = peers
        self._holdings = Holdings(engine, wanted)
        self._error: str | None = None
        self._told: set[str] = set()
        self._life = 0
        self._suspected = False
        self._wake = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()

    @property
    def status(self) -> ReplicaStatus:
        """How it does now."""
        refusals = "; ".join(map(str, self._holdings.refused.values())) or None
        ready = self.ready.is_set()
        state = "ready" if ready else "starting" if self._error is None else "down"
        return ReplicaStatus(
            url=self.engine.url,
            state=state,
            in_flight=self.engine.in_flight,
            loaded=tuple(sorted(self._holdings.held)) if ready else (),
            error=refusals if ready else self._error,
        )

    def answers(self, version: str | None) -> bool:
        """Whether it may be asked with a version, or, for None, at all."""
        return self.ready.is_set() and (version is None or version in self._holdings.held)

    def why_not(self, version: str | None) -> str:
        """Why it does not answer."""
        if not self.ready.is_set():
            return self._error or f"vLLM at {self.engine.url} is being started"
        refusal = self._holdings.refused.get(version or "")
        return str(refusal or f"vLLM at {self.engine.url} has not loaded {version} yet")

    async def keep(self) -> None:
        """Bring the server up and look after it, again and again, until cancelled."""
        failures = 0
        while True:
            served_from = float("inf")
            try:
                await self._bring_up()
                failures, served_from = 0, time.monotonic()
                await self._watch()
            except EngineDown as exc:
                self.take_out(str(exc))
            except Exception as exc:
                logger.exception("vLLM at %s: bringing it up failed", self.engine.url)
                self.take_out(f"{type(exc).__name__}: {exc}")
            # One that served for a while is brought back at once, any other after a pause.
            steady = time.monotonic() - served_from >= self._pace.look
            failures = 0 if steady else failures + 1
            await asyncio.sleep(self._pace.pause(failures))

    def stop(self) -> None:
        """Give it no more prompts, for good."""
        self.ready.clear()
        self._error = "the engine is stopped"

    def take_out(self, why: str) -> None:
        """Give it no more prompts, and have its task bring it up again."""
        self.ready.clear()
        self._error = why
        self._wake.set()
        if why not in self._told:
            self._told.add(why)
            logger.warning(
                "a replica is out of service: %s", why,
                extra={"event": "replica_down", "replica": self.engine.url},
            )  # fmt: skip

    async def complete(self, prompt: Prompt) -> Completion:
        """Ask it. A server that fails is taken out; one that answers with an error is looked at
        first, because a prompt may be at fault."""
        life = self._life
        try:
            return await self.engine.complete(prompt)
        except ServerFailed as exc:
            # What was asked of a server before it was brought up anew says nothing of it now.
            if self.ready.is_set() and life == self._life:
                if exc.answers:
                    self._suspected = True
                    self._wake.set()
                else:
                    self.take_out(str(exc))
            raise

    async def reconcile(self, changed: str) -> AdapterRefused | None:
        """Load and unload until it holds what is wanted, if it is ready; if not, its task does.

        `changed` is tried although it may have been refused before; returned is why it is refused
        now, if it is. Never fails: a server that does is taken out.
        """
        self._holdings.note(changed)
        if not self.ready.is_set():
            return None
        async with self._one_at_a_time:
            if not self.ready.is_set():
                return None
            try:
                await self._holdings.reconcile(changed)
            except EngineDown as exc:
                self.take_out(str(exc))
                return None
            return self._holdings.refused.get(changed)

    async def _bring_up(self) -> None:
        async with self._one_at_a_time:
            self._life += 1
            self._suspected = False
            await self.engine.start()
            self._require_same_base_model()
            await self._holdings.begin()
            # Nothing is awaited from the last comparison on, so what is wanted is what is held.
            self._require_same_base_model()
            self._wake.clear()
            self._error = None
            self._told.clear()
            self.ready.set()
        logger.info(
            "vLLM at %s is ready with %s",
            self.engine.url, ", ".join(sorted(self._holdings.held)) or "no adapter",
            extra={"event": "replica_ready", "replica": self.engine.url},
        )  # fmt: skip

    def _require_same_base_model(self) -> None:
        theirs, ours = self._peers(), self.engine.served and self.engine.served.base_model
        if theirs is not None and ours != theirs:
            raise EngineDown(
                f"vLLM at {self.engine.url} runs the base model {ours}, the other replicas {theirs}"
            )

    async def _watch(self) -> None:
        """Look at the server until it is taken out. Raises EngineDown with what is wrong."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pace.look):
                    await self._wake.wait()
            self._wake.clear()
            async with self._one_at_a_time:
                if not self.ready.is_set():
                    return
                suspected, self._suspected = self._suspected, False
                held = await self.engine.look(thoroughly=suspected)
                if lost := ", ".join(sorted(self._holdings.held - held)):
                    raise EngineDown(f"vLLM at {self.engine.url} has forgotten {lost}")
                await self._holdings.reconcile(*self._holdings.worth_another_try)
