"""Many sessions at once, then many calls: does the gateway keep what it should not?

    make soak
    python -m tests.bench.soak [--calls 100000] [--sessions 1000] [--active 200]

Opens idle sessions of the handshake era, each with its stream held open as the SDKs' clients do,
then active ones, which call a tool all the time: half of the calls go through these sessions, half
in the 2026-07-28 revision, without one. Every active session ends after a hundred calls and another
begins. Prints a table, and one JSON object as its last line; ends with 1 if anything failed or the
rule of `growth.py` is broken. It reads the gateway's figures from `/proc`, so it runs on Linux.
"""

import argparse
import asyncio
import contextlib
import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.bench.growth import Growth, Sample, growth, sample
from tests.bench.lists import ACCEPT, META, opened, rpc
from tests.bench.stand import LIMIT_S, Stand, stand

SAMPLES = 100
CALLS_OF_A_SESSION = 100
OPENING_AT_ONCE = 16
MODERN = {
    **ACCEPT,
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": "tools/call",
    "mcp-name": "echo",
}
ECHO: dict[str, Any] = {"name": "echo", "arguments": {"text": "hello"}}


@dataclass
class Soak:
    """One run: the client, what is still to call, and what was seen."""

    up: Stand
    client: httpx.AsyncClient
    calls: int
    active: int
    left: int
    errors: dict[str, int] = field(default_factory=dict[str, int])
    samples: list[Sample] = field(default_factory=list[Sample])

    def fail(self, what: str) -> None:
        self.errors[what] = self.errors.get(what, 0) + 1

    def now(self) -> Sample:
        return sample(self.up.gateway_pid, self.calls - self.left)

    async def call(self, body: Any, headers: dict[str, str]) -> None:
        """Make one call and count it."""
        self.left -= 1
        try:
            reply = await self.client.post(self.up.through, json=body, headers=headers)
            if reply.status_code != 200 or b'"hello"' not in reply.content:
                self.fail(f"call: {reply.status_code} {reply.text[:120]}")
        except httpx.HTTPError as exc:
            self.fail(f"call: {type(exc).__name__}")
        if self.left % max(self.calls // SAMPLES, 1) == 0:
            self.samples.append(self.now())


def main() -> None:
    """Run the soak."""
    options = argparse.ArgumentParser()
    options.add_argument("--calls", type=int, default=100_000)
    options.add_argument("--sessions", type=int, default=1_000)
    options.add_argument("--active", type=int, default=200)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        passed = asyncio.run(_run(Path(scratch), chosen.calls, chosen.sessions, chosen.active))
    raise SystemExit(0 if passed else 1)


async def _run(folder: Path, calls: int, sessions: int, active: int) -> bool:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=active * 2)
    async with contextlib.AsyncExitStack() as stack:
        up = await stack.enter_async_context(stand(folder, 1))
        client = await stack.enter_async_context(
            httpx.AsyncClient(timeout=httpx.Timeout(LIMIT_S), limits=limits)
        )
        soak = Soak(up, client, calls, active, calls)
        before = soak.now()
        idle = await _opened(soak, sessions)
        streams = await _streams(soak, idle)
        after = soak.now()
        await asyncio.gather(*(_busy(soak, number) for number in range(active)))
        last = soak.now()
        for task in streams:
            if task.done():
                soak.fail("an idle session's stream ended")
            task.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
    return _report(soak, len(idle), before, after, last)


async def _opened(soak: Soak, count: int) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    gate = asyncio.Semaphore(OPENING_AT_ONCE)

    async def one() -> None:
        async with gate:
            try:
                found.append(await opened(soak.client, soak.up.through))
            except (httpx.HTTPError, KeyError) as exc:
                soak.fail(f"open: {exc}"[:120])

    await asyncio.gather(*(one() for _ in range(count)))
    return found


async def _streams(soak: Soak, sessions: list[dict[str, str]]) -> list[asyncio.Task[None]]:
    """The streams of sessions, all of them answered."""
    answers = [asyncio.Event() for _ in sessions]
    pairs = zip(sessions, answers, strict=True)
    tasks = [asyncio.create_task(_listening(soak, *pair)) for pair in pairs]
    for answer in answers:
        await answer.wait()
    return tasks


async def _listening(soak: Soak, headers: dict[str, str], answered: asyncio.Event) -> None:
    """Hold the stream of a session open."""
    try:
        async with soak.client.stream("GET", soak.up.through, headers=headers) as reply:
            answered.set()
            if reply.status_code != 200:
                soak.fail(f"stream: {reply.status_code}")
            async for _ in reply.aiter_raw():
                pass
    except httpx.HTTPError as exc:
        soak.fail(f"stream: {type(exc).__name__}")
    finally:
        answered.set()


async def _busy(soak: Soak, number: int) -> None:
    """One active agent: with sessions of the handshake era, or of the current revision."""
    if number % 2:
        body = rpc("tools/call", {**ECHO, "_meta": META})
        while soak.left > 0:
            await soak.call(body, MODERN)
        return
    while soak.left > 0:
        found = await _opened(soak, 1)
        if not found:
            return
        for _ in range(CALLS_OF_A_SESSION):
            if soak.left <= 0:
                break
            await soak.call(rpc("tools/call", ECHO), found[0])
        reply = await soak.client.delete(soak.up.through, headers=found[0])
        if reply.status_code != 200:
            soak.fail(f"delete: {reply.status_code}")


def _report(soak: Soak, idle: int, before: Sample, after: Sample, last: Sample) -> bool:
    found: Growth = growth(soak.samples)
    per_session = (after.bytes - before.bytes) / idle / 1024 if idle else 0.0
    active = max(soak.active // 2, 1)
    per_active = (last.bytes - after.bytes) / active / 1024
    made = soak.calls - soak.left
    for text, value in (
        ("calls", f"{made}"),
        ("idle sessions", f"{idle}"),
        ("memory at the start", f"{before.bytes / 1e6:.1f} MB, {before.files} files"),
        ("with the idle sessions", f"{after.bytes / 1e6:.1f} MB, {after.files} files"),
        ("memory of an idle session", f"{per_session:.1f} KiB"),
        ("memory of an active session", f"{per_active:.1f} KiB, what the calls left included"),
        ("at the end", f"{last.bytes / 1e6:.1f} MB, {last.files} files"),
        ("growth after warm-up", f"{found.bytes / 1e6:.2f} MB, {found.files} files"),
        ("allowed", f"{found.allowed_bytes / 1e6:.2f} MB, {found.allowed_files} files"),
    ):
        print(f"{text:30}{value}")
    for what, count in soak.errors.items():
        print(f"failed {count} times: {what}")
    errors = sum(soak.errors.values())
    figures = {
        "calls": made,
        "idle_sessions": idle,
        "errors": errors,
        "kib_per_idle_session": round(per_session, 1),
        "kib_per_active_session": round(per_active, 1),
        "growth_bytes": found.bytes,
        "growth_files": found.files,
        "passed": errors == 0 and found.within,
    }
    print(json.dumps(figures))
    return bool(figures["passed"])


if __name__ == "__main__":
    main()
