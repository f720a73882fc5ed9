"""How long after a real server has changed its tools the gateway warns of the drift.

The order desk runs in a process of its own, over stdio and over HTTP in turn, and goes to
revision 2 on a signal; the gateway is the whole application, with a scripted engine. The time runs
from before the signal to the log line, so that it holds the server's own share too. Each sample
has a new desk and a new gateway: the desk changes once in its life.
"""

import asyncio
import logging
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
from fastapi import FastAPI

from gateway.app import build_app, running
from gateway.config import AdapterConfig, Config, ServerConfig
from gateway.engines.scripted import ScriptedEngine
from tests.adapters import write_adapter
from tests.ports import free_port

_DESK = [sys.executable, "-m", "mcp_servers.support"]
_PATIENCE_S = 60.0

Started = tuple[ServerConfig, Callable[[], int]]
"""How the gateway reaches a desk, and its process id once it runs."""


def warn_s(samples: int) -> dict[str, list[float]]:
    """Seconds from change to warning, `samples` for each transport, smallest first."""
    ways = {"stdio": _over_stdio, "http": _over_http}
    return {name: sorted(_sample(way) for _ in range(samples)) for name, way in ways.items()}


def _sample(way: Callable[[Path], Generator[Started]]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        write_adapter(place / "adapter")
        with contextmanager(way)(place) as (server, pid):
            return asyncio.run(_measured(server, pid, place))


async def _measured(server: ServerConfig, pid: Callable[[], int], place: Path) -> float:
    config = Config(
        servers=(server,),
        adapters=(AdapterConfig(folder=place / "adapter"),),
        adapter_store=place / "store",
    )
    app = build_app(config, engine=ScriptedEngine())
    heard = _Heard()
    logging.getLogger().addHandler(heard)
    try:
        async with running(app.state.parts), asyncio.timeout(_PATIENCE_S):
            await app.state.parts.watch.upstream(server.name).first_listing(_PATIENCE_S)
            await _in_service(app)
            began = time.perf_counter()
            os.kill(pid(), signal.SIGHUP)
            await heard.warned.wait()
            return heard.at - began
    finally:
        logging.getLogger().removeHandler(heard)


async def _in_service(app: FastAPI) -> None:
    """Wait until the adapter answers for the toolset as it was learnt."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        while True:
            drift = (await client.get("/admin/drift")).json()["adapters"]
            if drift and drift[0]["listed"] and drift[0]["grade"] == "none":
                return
            await asyncio.sleep(0.05)


class _Heard(logging.Handler):
    """Waits for the warning in the log."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.warned = asyncio.Event()
        self.at = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "event", "") == "toolset_drift":
            self.at = time.perf_counter()
            self.warned.set()


def _over_stdio(place: Path) -> Generator[Started]:
    """The gateway starts the desk itself; the shell that becomes it writes down its process id."""
    file = place / "pid"
    line = f"echo $$ > {shlex.quote(str(file))}; exec {shlex.join(_DESK)}"
    config = ServerConfig(name="support", command="sh", args=("-c", line))
    yield config, lambda: int(file.read_text())


def _over_http(place: Path) -> Generator[Started]:
    port = free_port()
    desk = subprocess.Popen(
        [*_DESK, "--transport", "http", "--port", str(port)], stderr=subprocess.PIPE, text=True
    )
    try:
        assert desk.stderr is not None
        desk.stderr.readline()  # it says so when it listens
        config = ServerConfig(name="support", url=f"http://127.0.0.1:{port}/mcp")
        yield config, lambda: desk.pid
    finally:
        desk.terminate()
        desk.communicate(timeout=20)
