"""Runs a gateway under uvicorn until it is told to stop.

SIGTERM and SIGINT end it as a success, also while the gateway still starts: no new connections, a
few seconds for the open ones, then the gateway's own shutdown.
"""

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Callable, Generator, Sequence
from ipaddress import ip_address

import uvicorn
from fastapi import FastAPI

from gateway.app import build_app
from gateway.commands.client import is_loopback
from gateway.commands.listening import bind
from gateway.commands.output import CommandFailed
from gateway.config import Config
from gateway.faces.keys import read_keys
from gateway.observe import configure_logging

DRAIN_S = 3
"""How long open connections may linger after the signal to stop."""


def serve_gateway(
    config: Config,
    host: str,
    port: int,
    allow_hosts: Sequence[str],
    announce: Callable[[str], None],
) -> None:
    """Serve until a signal; `announce` is given the address once it answers.

    Raises:
        CommandFailed: the host may not be used without keys or names, or the port is taken.
        PointsmanError: the configuration cannot be used, or the engine or an adapter not started.
    """
    if not is_loopback(host) and not read_keys(config.auth):
        raise CommandFailed(
            f"without keys the gateway serves loopback only, not {host}; set POINTSMAN_AGENT_KEYS "
            "and POINTSMAN_ADMIN_KEYS",
            2,
        )
    config = admitting(config, host, allow_hosts)
    with contextlib.closing(bind(host, port)) as listener:
        configure_logging(config.log)
        app = build_app(config)
        shown = f"[{host}]" if ":" in host else host
        url = f"http://{shown}:{listener.getsockname()[1]}"
        try:
            Server(app, lambda: announce(url)).run(sockets=[listener])
        except OSError as exc:
            raise CommandFailed(f"cannot serve at {url}: {exc.strerror or exc}") from exc


def admitting(config: Config, host: str, allow_hosts: Sequence[str]) -> Config:
    """The configuration with the host names under which clients will ask for this gateway."""
    names = (*config.allowed_hosts, *allow_hosts)
    if not _is_everywhere(host):
        names += (f"[{host}]" if ":" in host else host,)
    elif not names:
        raise CommandFailed(
            f"on {host} the gateway must know the names that clients use: give --allow-host NAME "
            "(localhost behind a port mapping) or set allowed_hosts in the configuration",
            2,
        )
    return config.model_copy(update={"allowed_hosts": names})


class Server(uvicorn.Server):
    """uvicorn around the gateway's lifespan: what fails at the start is raised, not only logged."""

    def __init__(self, app: FastAPI, on_up: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                timeout_graceful_shutdown=DRAIN_S,
            )
        )
        self._app = app
        self._on_up = on_up

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the gateway, serve, and stop both in reverse."""
        task = asyncio.current_task()
        assert task is not None
        stopped = False

        def stop(number: int) -> None:
            nonlocal stopped
            stopped = True
            if self.started:
                self.handle_exit(number, None)
            else:
                task.cancel()

        with _signals(stop):
            try:
                async with self._app.router.lifespan_context(self._app):
                    await super().serve(sockets)
            except asyncio.CancelledError:
                if not stopped:
                    raise

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self._on_up()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave the signals to `serve`: uvicorn would die of them again after it has stopped."""
        yield


@contextlib.contextmanager
def _signals(stop: Callable[[int], None]) -> Generator[None]:
    if sys.platform == "win32":
        yield
        return
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, stop, number)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _is_everywhere(host: str) -> bool:
    try:
        return not host or ip_address(host).is_unspecified
    except ValueError:
        return False
