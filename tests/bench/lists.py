"""A list of a thousand tools through the gateway, beside a plain answer of the same size.

Plain HTTP, without a client that parses: what is measured is the answer and its transfer.
"""

import json
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx

from tests.bench.stand import LIMIT_S, Stand

ACCEPT = {"accept": "application/json, text/event-stream"}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


@dataclass(frozen=True, slots=True)
class Lists:
    """Bytes of the list, and medians in milliseconds: both eras, and the plain answer."""

    size: int
    list_ms: float
    handshake_ms: float
    plain_ms: float

    def as_dict(self) -> dict[str, Any]:
        """The figures of the bench's last line."""
        return {
            "list_bytes": self.size,
            "list_ms": round(self.list_ms, 3),
            "list_handshake_ms": round(self.handshake_ms, 3),
            "plain_ms": round(self.plain_ms, 3),
            "ratio_list": round(self.list_ms / self.plain_ms, 3),
            "ratio_list_handshake": round(self.handshake_ms / self.plain_ms, 3),
        }


async def timed_lists(up: Stand, tools: int, count: int) -> Lists:
    """Ask `count` times for each, in turn."""
    url = f"http://127.0.0.1:{up.gateway}/mcp/many"
    plain_url = f"http://127.0.0.1:{up.upstream}/plain"
    modern = {**ACCEPT, "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list"}
    body = rpc("tools/list", {"_meta": META})
    async with httpx.AsyncClient(timeout=LIMIT_S) as client:
        session = await opened(client, url)
        asks: dict[str, Callable[[], Awaitable[httpx.Response]]] = {
            "list": lambda: client.post(url, json=body, headers=modern),
            "handshake": lambda: client.post(url, json=rpc("tools/list"), headers=session),
            "plain": lambda: client.get(plain_url),
        }
        found = (await asks["list"]()).content
        assert len(json.loads(found)["result"]["tools"]) == tools
        assert (await asks["handshake"]()).content.count(b'"tool_') == tools
        await client.get(f"http://127.0.0.1:{up.upstream}/size/{len(found)}")
        assert len((await asks["plain"]()).content) == len(found)
        times: dict[str, list[float]] = {name: [] for name in asks}
        for _ in range(count):
            for name, ask in asks.items():
                started = time.perf_counter()
                await ask()
                times[name].append((time.perf_counter() - started) * 1000)
    p50 = {name: statistics.median(values) for name, values in times.items()}
    return Lists(len(found), p50["list"], p50["handshake"], p50["plain"])


def rpc(method: str, params: dict[str, Any] | None = None, number: int | None = 1) -> Any:
    """A JSON-RPC message; without a number, a notification."""
    message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params or {}}
    return message if number is None else {**message, "id": number}


async def opened(client: httpx.AsyncClient, url: str) -> dict[str, str]:
    """Begin a session of the handshake era; the headers of its requests."""
    about = {"name": "bench", "version": "1"}
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": about}
    reply = await client.post(url, json=rpc("initialize", params), headers=ACCEPT)
    reply.raise_for_status()
    headers = {
        **ACCEPT,
        "mcp-session-id": reply.headers["mcp-session-id"],
        "mcp-protocol-version": "2025-11-25",
    }
    body = rpc("notifications/initialized", number=None)
    (await client.post(url, json=body, headers=headers)).raise_for_status()
    return headers
