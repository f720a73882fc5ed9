"""What the MCP face adds to a tool call, and to a list of a thousand tools.

    python tests/bench/mcp_overhead.py [--calls N] [--era auto|legacy] [--fastmcp-python FILE]

Starts an upstream (an echo tool, and a second server with a thousand tools) and the gateway
before it (validation, call record and metrics on), and, with `--fastmcp-python`, the FastMCP
proxy in an environment of its own. One client calls each in turn, one call at a time and then
sixteen at once. Prints a table, and one JSON object as its last line.
"""

import argparse
import asyncio
import contextlib
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
from mcp import Client

from tests.ports import free_port

AT_ONCE = 16
TOOLS = 1_000
START_S = 600
UPSTREAM = """
import contextlib, json, sys, uvicorn
from mcp.server import Server
from mcp.types import CallToolResult, ListToolsResult, TextContent, Tool
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Mount, Route
SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
def tools(count):
    words = "Looks up what is known of one thing, and says so in a sentence or two."
    return [Tool(name=f"tool_{n}", description=words, input_schema=SCHEMA) for n in range(count)]
def server(listed):
    async def list_tools(ctx, params):
        return ListToolsResult(tools=listed)
    async def call(ctx, params):
        return CallToolResult(content=[TextContent(type="text", text=params.arguments["text"])])
    return Server("bench", on_list_tools=list_tools, on_call_tool=call,
                  get_tool_input_schema=lambda name: SCHEMA)
one = server([Tool(name="echo", description="Says it again.", input_schema=SCHEMA)])
many = server(tools(int(sys.argv[2])))
apps = [app.streamable_http_app(streamable_http_path="/") for app in (one, many)]
body = b"x"
async def plain(request):
    return Response(body, media_type="application/json")
async def size(request):
    global body
    body = b"x" * int(request.path_params["size"])
    return Response()
@contextlib.asynccontextmanager
async def lifespan(_):
    async with one.session_manager.run(), many.session_manager.run():
        yield
app = Starlette(lifespan=lifespan, routes=[
    Route("/plain", plain), Route("/size/{size:int}", size),
    Mount("/mcp", apps[0]), Mount("/many", apps[1])])
uvicorn.run(app, port=int(sys.argv[1]), log_level="warning")
"""
PROXY = """
import sys
from fastmcp.server import create_proxy
create_proxy(sys.argv[1]).run(transport="http", host="127.0.0.1", port=int(sys.argv[2]))
"""
CONFIG = """
[[servers]]
name = "one"
url = "http://127.0.0.1:{port}/mcp/"
[[servers]]
name = "many"
url = "http://127.0.0.1:{port}/many/"
[records]
path = "records.sqlite"
"""
Ask = Callable[[], Awaitable[Any]]


def main() -> None:
    """Run the benchmark."""
    options = argparse.ArgumentParser()
    options.add_argument("--calls", type=int, default=500)
    options.add_argument("--era", choices=("auto", "legacy"), default="auto")
    options.add_argument("--fastmcp-python", type=Path)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(_run(Path(scratch), chosen.calls, chosen.era, chosen.fastmcp_python))


async def _run(folder: Path, calls: int, era: str, fastmcp: Path | None) -> None:
    upstream, gateway, proxy = free_port(), free_port(), free_port()
    config = folder / "pointsman.toml"
    config.write_text(CONFIG.format(port=upstream))
    pointsman = str(Path(sys.executable).parent / "pointsman")
    direct = f"http://127.0.0.1:{upstream}/mcp/"
    with contextlib.ExitStack() as running:
        start = running.enter_context
        start(_process(sys.executable, "-c", UPSTREAM, str(upstream), str(TOOLS)))
        await _until_open(upstream)
        start(_process(pointsman, "serve", "--config", str(config), "--port", str(gateway)))
        await _until_open(gateway)
        at = {"direct": direct, "gateway": f"http://127.0.0.1:{gateway}/mcp/one"}
        if fastmcp is not None:
            start(_process(str(fastmcp), "-c", PROXY, direct, str(proxy)))
            await _until_open(proxy)
            at["fastmcp"] = f"http://127.0.0.1:{proxy}/mcp"
        rows = {name: await _calls(url, calls, era) for name, url in at.items()}
        lists = await _lists(gateway, upstream, max(calls // 10, 5))
    _report(rows, lists)


async def _calls(url: str, count: int, era: Any) -> dict[str, float]:
    async with Client(url, mode=era, cache=None) as client:

        async def ask() -> None:
            result = await client.call_tool("echo", {"text": "hello"})
            assert not result.is_error, result

        while True:  # the gateway lists its servers while it starts
            with contextlib.suppress(Exception):
                await ask()
                break
            await asyncio.sleep(0.1)
        await _timed(ask, max(count // 10, 5))  # warm-up
        times = await _timed(ask, count)
        started = time.perf_counter()
        turns = count // AT_ONCE + 1
        await asyncio.gather(*(_timed(ask, turns) for _ in range(AT_ONCE)))
        rate = AT_ONCE * turns / (time.perf_counter() - started)
    return {"p50_ms": statistics.median(times), "rps": rate}


async def _lists(gateway: int, upstream: int, count: int) -> dict[str, float]:
    """A list of a thousand tools beside a plain answer of the same size."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}}
    headers = {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/list",
    }
    async with httpx.AsyncClient(timeout=START_S) as client:
        base = f"http://127.0.0.1:{upstream}"

        async def listed() -> bytes:
            url = f"http://127.0.0.1:{gateway}/mcp/many"
            return (await client.post(url, json=body, headers=headers)).content

        async def plain() -> bytes:
            return (await client.get(f"{base}/plain")).content

        while len(json.loads(found := await listed())["result"]["tools"]) < TOOLS:
            await asyncio.sleep(0.1)
        await client.get(f"{base}/size/{len(found)}")
        assert len(await plain()) == len(found)
        return {
            "list_bytes": len(found),
            "list_ms": statistics.median(await _timed(listed, count)),
            "plain_ms": statistics.median(await _timed(plain, count)),
        }


async def _timed(ask: Ask, count: int) -> list[float]:
    times: list[float] = []
    for _ in range(count):
        started = time.perf_counter()
        await ask()
        times.append((time.perf_counter() - started) * 1000)
    return times


def _report(rows: dict[str, dict[str, float]], lists: dict[str, float]) -> None:
    print(f"{'tools/call':12}{'p50 ms':>10}{f'calls/s at {AT_ONCE}':>18}")
    for name, row in rows.items():
        print(f"{name:12}{row['p50_ms']:10.2f}{row['rps']:18.0f}")
    print(f"tools/list of {TOOLS}, {lists['list_bytes']} bytes: {lists['list_ms']:.2f} ms")
    print(f"a plain answer of that size: {lists['plain_ms']:.2f} ms")
    figures: dict[str, Any] = {}
    for name in ("direct", "gateway", "fastmcp"):
        row = rows.get(name)
        figures[f"{name}_p50_ms"] = round(row["p50_ms"], 3) if row else None
        figures[f"{name}_rps"] = round(row["rps"], 1) if row else None
    direct, gateway = rows["direct"], rows["gateway"]
    figures["ratio_p50"] = round(gateway["p50_ms"] / direct["p50_ms"], 3)
    figures["ratio_rps"] = round(gateway["rps"] / direct["rps"], 3)
    figures |= {key: round(value, 3) for key, value in lists.items()}
    figures["ratio_list"] = round(lists["list_ms"] / lists["plain_ms"], 3)
    print(json.dumps(figures))


@contextlib.contextmanager
def _process(*command: str) -> Iterator[None]:
    process = subprocess.Popen(command)
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
        process.kill()


async def _until_open(port: int) -> None:
    async with asyncio.timeout(START_S):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.1)


if __name__ == "__main__":
    main()
