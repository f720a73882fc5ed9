"""What the tests of the command line stand on: a gateway on a port of its own, and the command."""

import asyncio
import contextlib
import json
import logging
import os
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from typer.testing import CliRunner

from gateway.app import build_app
from gateway.cli import build
from gateway.commands.serving import bind
from gateway.config import Config, ServerConfig
from gateway.engines.base import Engine
from gateway.engines.scripted import ScriptedEngine
from gateway.faces.parts import Parts

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout."""
        return json.loads(self.out)

    @property
    def complaint(self) -> str:
        """The one line on stderr."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("pointsman: ")
        return lines[0]


def pointsman(*arguments: object, **environ: str) -> Ran:
    """Run the command in this process."""
    clean = {name: None for name in os.environ if name.startswith("POINTSMAN_")}
    with _logging_as_it_is():
        result = CliRunner().invoke(build(), [str(a) for a in arguments], env={**clean, **environ})
    return Ran(result.exit_code, result.stdout, result.stderr)


@contextlib.contextmanager
def _logging_as_it_is() -> Iterator[None]:
    """A command sets logging up for its process, which here outlives it."""
    handlers, level = logging.root.handlers[:], logging.root.level
    try:
        yield
    finally:
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)


def support(revision: int = 1, name: str = "support", **more: Any) -> ServerConfig:
    """The order desk as a process."""
    arguments = ("-m", "mcp_servers.support", "--today", "2026-11-02", "--revision", str(revision))
    return ServerConfig(name=name, command=sys.executable, args=arguments, cwd=str(ROOT), **more)


class _Server(uvicorn.Server):
    """uvicorn in a thread, which tells when it listens and leaves signals alone."""

    def __init__(self, config: uvicorn.Config, up: "Future[str]", url: str) -> None:
        super().__init__(config)
        self._up, self._url = up, url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._up.set_result(self._url)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.contextmanager
def gateway(
    config: Config,
    answers: Mapping[str, Any] = {},
    *,
    engine: Engine | None = None,
    listed: bool = True,
) -> Iterator[str]:
    """The address of a running gateway whose servers have listed."""
    up: Future[str] = Future()
    app = build_app(config, engine=engine or ScriptedEngine(answers))
    with contextlib.closing(bind("127.0.0.1", 0)) as listener:
        settings = uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
        server = _Server(settings, up, f"http://127.0.0.1:{listener.getsockname()[1]}")

        async def serve() -> None:
            parts: Parts = app.state.parts
            try:
                async with app.router.lifespan_context(app):
                    for upstream in parts.watch.upstreams if listed else ():
                        await upstream.first_listing(PATIENCE_S)
                    await server.serve([listener])
            except BaseException as exc:
                if not up.done():
                    up.set_exception(exc)
                raise

        thread = threading.Thread(target=lambda: asyncio.run(serve()))
        thread.start()
        try:
            yield up.result(PATIENCE_S)
        finally:
            server.should_exit = True
            thread.join()


def unused_port() -> int:
    """A port on which nobody listens."""
    with contextlib.closing(bind("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]
