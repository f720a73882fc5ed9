"""What the MCP face adds to a tool call, and to a list of a thousand tools.

    make bench-mcp
    python -m tests.bench.mcp_overhead [--calls N] [--era auto|legacy] [--fastmcp-python FILE]

Starts an upstream (an echo tool, and a second server with a thousand tools), the gateway before
it (validation, call record and metrics on), and, with `--fastmcp-python`, the FastMCP proxy in an
environment of its own. A client of the MCP SDK calls each, one call at a time and sixteen at
once; the three take turns in short rounds, so that a busy machine slows them alike. Prints a
table, and one JSON object as its last line.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcp import Client

from tests.bench.lists import Lists, timed_lists
from tests.bench.stand import Stand, process, stand, until_open
from tests.ports import free_port

AT_ONCE = 16
ROUNDS = 10
TOOLS = 1_000
FASTMCP_SHARE = 10
"""The proxy is given one call for this many of the others, or it would take most of the time."""
PROXY = """
import sys
from fastmcp.server import create_proxy
create_proxy(sys.argv[1]).run(transport="http", host="127.0.0.1", port=int(sys.argv[2]))
"""
Ask = Callable[[], Awaitable[Any]]


@dataclass
class Row:
    """What was measured of one path: milliseconds of single calls, and calls at once."""

    times: list[float] = field(default_factory=list[float])
    crowd: int = 0
    crowd_s: float = 0.0

    @property
    def p50_ms(self) -> float:
        return statistics.median(self.times)

    @property
    def p95_ms(self) -> float:
        return sorted(self.times)[int(0.95 * len(self.times))]

    @property
    def rps(self) -> float:
        return self.crowd / self.crowd_s


def main() -> None:
    """Run the benchmark."""
    options = argparse.ArgumentParser()
    options.add_argument("--calls", type=int, default=2_000)
    options.add_argument("--era", choices=("auto", "legacy"), default="auto")
    options.add_argument("--fastmcp-python", type=Path)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(_run(Path(scratch), chosen.calls, chosen.era, chosen.fastmcp_python))


async def _run(folder: Path, calls: int, era: str, fastmcp: Path | None) -> None:
    async with stand(folder, TOOLS) as up, contextlib.AsyncExitStack() as stack:
        asks = {
            "direct": await stack.enter_async_context(_client(up.direct, era)),
            "gateway": await stack.enter_async_context(_client(up.through, era)),
        }
        if fastmcp is not None:
            url = await _proxy(stack, up, fastmcp)
            asks["fastmcp"] = await stack.enter_async_context(_client(url, era))
        rows = await _rounds(asks, calls)
        lists = await timed_lists(up, TOOLS, max(calls // 10, 10))
    _report(rows, lists)


async def _proxy(stack: contextlib.AsyncExitStack, up: Stand, python: Path) -> str:
    port = free_port()
    stack.enter_context(process(str(python), "-c", PROXY, up.direct, str(port)))
    await until_open(port)
    return f"http://127.0.0.1:{port}/mcp"


@contextlib.asynccontextmanager
async def _client(url: str, era: Any):
    async with Client(url, mode=era, cache=None) as client:

        async def ask() -> None:
            result = await client.call_tool("echo", {"text": "hello"})
            assert not result.is_error, result

        yield ask


async def _rounds(asks: dict[str, Ask], calls: int) -> dict[str, Row]:
    shares = {"fastmcp": FASTMCP_SHARE}
    counts = {name: calls // ROUNDS // shares.get(name, 1) for name in asks}
    rows = {name: Row() for name in asks}
    for number in range(ROUNDS + 1):
        if number == 1:  # the first was to warm up
            rows = {name: Row() for name in asks}
        for name, ask in asks.items():
            rows[name].times += await timed(ask, max(counts[name], 2))
        for name, ask in asks.items():
            await _crowd(ask, max(counts[name] // AT_ONCE, 1), rows[name])
    return rows


async def _crowd(ask: Ask, turns: int, row: Row) -> None:
    started = time.perf_counter()
    await asyncio.gather(*(timed(ask, turns) for _ in range(AT_ONCE)))
    row.crowd_s += time.perf_counter() - started
    row.crowd += AT_ONCE * turns


async def timed(ask: Ask, count: int) -> list[float]:
    """Milliseconds of each of `count` calls, one after another."""
    times: list[float] = []
    for _ in range(count):
        started = time.perf_counter()
        await ask()
        times.append((time.perf_counter() - started) * 1000)
    return times


def _report(rows: dict[str, Row], lists: Lists) -> None:
    print(f"{'tools/call':12}{'p50 ms':>10}{'p95 ms':>10}{f'calls/s at {AT_ONCE}':>18}")
    for name, row in rows.items():
        print(f"{name:12}{row.p50_ms:10.2f}{row.p95_ms:10.2f}{row.rps:18.0f}")
    print(f"tools/list of {TOOLS} tools, {lists.size} bytes: {lists.list_ms:.2f} ms")
    print(f"the same in the handshake era: {lists.handshake_ms:.2f} ms")
    print(f"a plain answer of that size: {lists.plain_ms:.2f} ms")
    direct, gateway, fastmcp = rows["direct"], rows["gateway"], rows.get("fastmcp")
    figures = {
        "direct_p50_ms": round(direct.p50_ms, 3),
        "gateway_p50_ms": round(gateway.p50_ms, 3),
        "fastmcp_p50_ms": round(fastmcp.p50_ms, 3) if fastmcp else None,
        "ratio_p50": round(gateway.p50_ms / direct.p50_ms, 3),
        "direct_rps": round(direct.rps, 1),
        "gateway_rps": round(gateway.rps, 1),
        "fastmcp_rps": round(fastmcp.rps, 1) if fastmcp else None,
        "ratio_rps": round(gateway.rps / direct.rps, 3),
    }
    print(json.dumps(figures | lists.as_dict()))


if __name__ == "__main__":
    main()
