"""Runs the server over stdio or Streamable HTTP until it is told to stop.

SIGTERM and SIGINT stop it with exit code 0, as does the end of stdin; SIGHUP takes it to
revision 2. All logging goes to stderr: under stdio, stdout belongs to the protocol.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from typing import Any, cast

import anyio
import uvicorn
from mcp.server.stdio import stdio_server

from mcp_servers.support.server import SupportServer

log = logging.getLogger("mcp_servers.support")

HOST = "127.0.0.1"
PATH = "/mcp"
DRAIN_S = 1
"""How long open HTTP streams may linger after the signal to stop."""


class CannotListen(Exception):
    """The port is taken or not allowed."""


async def serve_stdio(server: SupportServer) -> None:
    """Serve one client over stdin and stdout until it leaves or a signal arrives."""
    stop = asyncio.Event()
    with _signals(stop.set, server):
        log.info("revision %d on stdio, pid %d", server.toolset.revision, os.getpid())
        session = asyncio.create_task(_serve_streams(server))
        stopped = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait((session, stopped), return_when=asyncio.FIRST_COMPLETED)
        for task in (session, stopped):
            task.cancel()
        await asyncio.wait((session, stopped))
        if session in done:
            session.result()


async def serve_http(server: SupportServer, port: int) -> None:
    """Serve any number of clients at `http://127.0.0.1:PORT/mcp`; port 0 takes a free one.

    Raises:
        CannotListen: the port cannot be taken.
    """
    with contextlib.closing(_bind(port)) as listener:
        app = server.streamable_http_app(streamable_http_path=PATH, host=HOST)
        config = uvicorn.Config(
            app, log_config=None, lifespan="on", timeout_graceful_shutdown=DRAIN_S
        )
        http = _Uvicorn(config)

        def stop() -> None:
            server.end_subscriptions()
            # Not `should_exit = True`: open SSE responses end themselves only after this call.
            http.handle_exit(signal.SIGTERM, None)

        with _signals(stop, server):
            url = f"http://{HOST}:{listener.getsockname()[1]}{PATH}"
            log.info("revision %d at %s, pid %d", server.toolset.revision, url, os.getpid())
            await http.serve(sockets=[listener])


class _Uvicorn(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave the signals to `_signals`: uvicorn would die of them again after it has stopped."""
        yield


class _Stdin:
    """The lines of stdin, read by a thread that nobody waits for.

    The SDK's own reader cannot be cancelled while a read is pending, so that a signal could not
    stop the server before the client writes again.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        # A duplicate, and no use of `sys.stdin`: its lock must be free when Python shuts down.
        self._descriptor = os.dup(0)
        threading.Thread(target=self._read, daemon=True).start()

    async def __aiter__(self) -> AsyncIterator[str]:
        while (line := await self._lines.get()) is not None:
            yield line

    def _read(self) -> None:
        with (
            contextlib.suppress(RuntimeError, OSError),
            open(self._descriptor, encoding="utf-8", errors="replace", newline="\n") as stdin,
        ):
            for line in stdin:
                self._loop.call_soon_threadsafe(self._lines.put_nowait, line)
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._lines.put_nowait, None)


async def _serve_streams(server: SupportServer) -> None:
    stdin = cast("anyio.AsyncFile[str]", _Stdin())
    try:
        async with stdio_server(stdin=stdin) as (read, write):
            await server.run(read, write, server.create_initialization_options())
    except* BrokenPipeError:
        log.info("the client has gone without reading its answers")


def _bind(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()  # the log says that it does, before uvicorn would
    except OSError as error:
        listener.close()
        raise CannotListen(f"cannot listen on port {port}: {error.strerror}") from error
    return listener


@contextlib.contextmanager
def _signals(stop: Callable[[], None], server: SupportServer) -> Generator[None]:
    """Within: SIGTERM and SIGINT call `stop`, SIGHUP takes the server to revision 2."""
    if sys.platform == "win32":
        yield
        return
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    def start(work: Coroutine[Any, Any, None]) -> None:
        task = loop.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    actions: dict[int, Callable[[], None]] = {
        signal.SIGTERM: stop,
        signal.SIGINT: stop,
        signal.SIGHUP: lambda: start(server.change_revision(2)),
    }
    for number, action in actions.items():
        loop.add_signal_handler(number, action)
    try:
        yield
    finally:
        for number in actions:
            loop.remove_signal_handler(number)
