"""The gateway that is fuzzed, and its upstreams: processes that work in one scratch folder."""

import asyncio
import contextlib
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from gateway.types import Toolset
from tests.adapters import support_toolset, write_adapter
from tests.bench.stand import ROOT, until_open
from tests.ports import free_port

CONFIG = Path(__file__).with_name("pointsman.toml")
SERVERS = ("support", "drifted", "held")
START_LIMIT_S, END_LIMIT_S = 60, 30


@dataclass(frozen=True, slots=True)
class Stand:
    """Addresses of the gateway and of its first upstream, and the gateway's log."""

    gateway: str
    upstream: str
    log: Path


@asynccontextmanager
async def stand(folder: Path) -> AsyncGenerator[Stand]:
    """All up and listed, two of the upstreams at revision 2; `folder` is made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    _write_adapters(folder / "adapters")
    ports = {name: free_port() for name in SERVERS}
    config, port = folder / "pointsman.toml", free_port()
    config.write_text(CONFIG.read_text().format(**ports))
    upstream = f"http://127.0.0.1:{ports['support']}/mcp"
    made = Stand(f"http://127.0.0.1:{port}", upstream, folder / "gateway.log")
    pointsman = str(Path(sys.executable).parent / "pointsman")
    with ExitStack() as stack:
        desks: dict[str, subprocess.Popen[bytes]] = {}
        for name in SERVERS:
            command = ("-m", "mcp_servers.support", "--transport", "http", "--port")
            log = folder / f"{name}.log"
            started = _process(log, sys.executable, *command, str(ports[name]))
            desks[name] = stack.enter_context(started)
        serve = (pointsman, "serve", "--config", str(config), "--port", str(port))
        stack.enter_context(_process(made.log, *serve))
        async with asyncio.timeout(START_LIMIT_S), httpx.AsyncClient(base_url=made.gateway) as http:
            await until_open(port)
            await _until(http, lambda body: {t["server"] for t in body["tools"]} == {*SERVERS})
            for name in ("drifted", "held"):
                desks[name].send_signal(signal.SIGHUP)
            await _until(http, lambda body: bool(body["held"]) and _has_new_tool(body))
        yield made


def _write_adapters(folder: Path) -> None:
    """Two that the configuration names, for calm and drifted tools, and three to add."""
    tools = support_toolset().tools
    theirs = [tool.model_copy(update={"name": f"drifted_{tool.name}"}) for tool in tools]
    write_adapter(folder / "support")
    write_adapter(folder / "drifted", Toolset("drifted", tuple(theirs)))
    write_adapter(folder / "spare", name="spare")
    write_adapter(folder / "idle", name="idle")
    write_adapter(folder / "newer", created="2026-11-22T00:00:00Z")


def _has_new_tool(listed: dict[str, Any]) -> bool:
    return any(tool["name"] == "drifted_gift_wrap" for tool in listed["tools"])


async def _until(http: httpx.AsyncClient, fits: Callable[[dict[str, Any]], bool]) -> None:
    """Wait until what the gateway lists fits; it lists its servers while it starts."""
    while not fits((await http.get("/v1/tools")).json()):
        await asyncio.sleep(0.1)


@contextmanager
def _process(log: Path, *command: str) -> Generator[subprocess.Popen[bytes]]:
    """A process that writes into a file, and is asked to end after the block."""
    with log.open("wb") as file:
        started = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file)
        try:
            yield started
        finally:
            started.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                started.wait(END_LIMIT_S)
            started.kill()
            started.wait()
