"""Clients that route one request after the other, and what each reply was.

Knows the gateway's HTTP and nothing of what happens to it meanwhile.
"""

import asyncio
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

_TIMEOUT_S = 300.0
_AFTER_FAILURE_S = 0.5


@dataclass(frozen=True, slots=True)
class Sample:
    """One reply: when it was asked for and came (seconds, monotonic), and what it says.

    `tool` is the tool called or proposed first, None for no_tool; `status` 0 means no answer.
    """

    started: float
    ended: float
    status: int
    version: str | None
    tool: str | None
    text: str

    @property
    def seconds(self) -> float:
        """How long the client waited."""
        return self.ended - self.started


class Load:
    """`clients` that ask without a pause until told to stop. An asynchronous context manager."""

    def __init__(self, url: str, requests: Callable[[int], dict[str, Any]], clients: int) -> None:
        """`requests` gives the body of the n-th request."""
        self.samples: list[Sample] = []
        self._url = url
        self._body = requests
        self._clients = clients
        self._numbers = itertools.count()
        self._stop = asyncio.Event()
        self._more = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Load":
        self._tasks = [asyncio.create_task(self._client()) for _ in range(self._clients)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        await asyncio.gather(*self._tasks)

    async def replies(self, more: int) -> None:
        """Wait until so many further replies are in."""
        wanted = len(self.samples) + more
        async with self._more:
            await self._more.wait_for(lambda: len(self.samples) >= wanted)

    async def _client(self) -> None:
        async with httpx.AsyncClient(
            base_url=self._url, timeout=_TIMEOUT_S, trust_env=False
        ) as client:
            while not self._stop.is_set():
                sample = await ask(client, self._body(next(self._numbers)))
                async with self._more:
                    self.samples.append(sample)
                    self._more.notify_all()
                if sample.status != 200:
                    await asyncio.sleep(_AFTER_FAILURE_S)  # one refused at once must not spin


async def ask(client: httpx.AsyncClient, body: dict[str, Any]) -> Sample:
    """Route one request."""
    started = time.monotonic()
    try:
        answer = await client.post("/v1/route", json=body)
    except httpx.TransportError as exc:
        return Sample(started, time.monotonic(), 0, None, None, f"{type(exc).__name__}: {exc}")
    ended, text = time.monotonic(), answer.text
    if answer.status_code != 200:
        return Sample(started, ended, answer.status_code, None, None, text)
    reply = answer.json()
    calls = reply["calls"] or reply["proposal"] or ()
    return Sample(started, ended, 200, reply["model"], calls[0]["tool"] if calls else None, text)


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the values lie, NaN without any."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))] if ranked else float("nan")
