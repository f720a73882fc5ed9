"""One MCP server behind the gateway: its configuration, its live connection, its last good list.

One task owns the connection: it alone enters and leaves the SDK's `Client` (cancel scopes break
otherwise), lists the tools after every connect, every `list_changed` of either protocol era and
every poll, and reconnects with back-off. A list counts only if all its pages arrived; after an
error the last good list stays, and the connection with it unless lists keep failing. Above
stands `watch`, which turns lists into catalogs; below, `connect` builds the transports and
`listing` reads the tools.
"""

import asyncio
import json
import logging
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import anyio
from mcp.client.client import Client
from mcp.client.session import IncomingMessage
from mcp.client.subscriptions import SubscriptionLost
from mcp.shared.exceptions import MCPError
from mcp.types import (
    CONNECTION_CLOSED,
    METHOD_NOT_FOUND,
    REQUEST_TIMEOUT,
    CallToolResult,
    ToolListChangedNotification,
)
from mcp.types.version import MODERN_PROTOCOL_VERSIONS

from gateway.config import ServerConfig
from gateway.errors import InvalidArguments, UpstreamDown, UpstreamTimeout
from gateway.toolsets.connect import SESSION_LOST, connect
from gateway.toolsets.listing import Listing, read_listing

logger = logging.getLogger(__name__)

State = Literal["connecting", "ready", "down"]
_FIRST_DELAY_S, _LAST_DELAY_S = 0.2, 30.0
_STEADY_S = 10.0
_DEBOUNCE_S = 0.05
_REOPEN_S = 5.0
_MAX_FAILED_LISTS = 3


@dataclass
class _Link:
    """One live connection. `wake` asks the owner to list again, `broken` to connect anew."""

    client: Client
    wake: anyio.Event = field(default_factory=anyio.Event)
    broken: anyio.Event = field(default_factory=anyio.Event)


class Upstream:
    """A connection that is kept alive until `close`."""

    def __init__(self, config: ServerConfig, on_listing: Callable[["Upstream"], None]) -> None:
        """`on_listing` is called, on the event loop, after every list that arrived whole."""
        self.config = config
        self.state: State = "connecting"
        self.error: str | None = None
        self.listing: Listing | None = None
        self.listed_at: float | None = None
        self.on_listing = on_listing
        self._link: _Link | None = None
        self._era: str = config.mode
        self._listed = asyncio.Event()
        self._failed = asyncio.Event()
        self._hurry = asyncio.Event()
        self._owner: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """The server's name in the configuration."""
        return self.config.name

    def start(self) -> None:
        """Start the owner task; returns at once."""
        self._owner = asyncio.create_task(self._own(), name=f"upstream {self.name}")

    async def close(self) -> None:
        """Leave the connection and end the owner task; idempotent."""
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.cancel()
            await asyncio.wait((owner,))
            self._link = None

    async def first_listing(self, timeout_s: float) -> None:
        """Wait for the first list.

        Raises:
            UpstreamDown: the first attempt failed, or none succeeded in time.
        """
        listed = asyncio.create_task(self._listed.wait())
        failed = asyncio.create_task(self._failed.wait())
        try:
            done, _ = await asyncio.wait(
                (listed, failed), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            listed.cancel()
            failed.cancel()
        if listed not in done:
            why = self.error or f"no tool list within {timeout_s:g} s"
            raise UpstreamDown(f"server {self.name} cannot be used: {why}")

    async def refresh(self, timeout_s: float = 30.0) -> None:
        """List again now, past every cache, and wait for the list.

        Raises:
            UpstreamDown: the server is down or the list did not arrive.
        """
        self._expect_news()
        self._hurry.set()
        if self._link is not None:
            self._link.wake.set()
        await self.first_listing(timeout_s)

    async def call(self, tool: str, arguments: dict[str, Any]) -> CallToolResult:
        """Call a tool by the server's own name for it. A failed tool is a result, not an error.

        Raises:
            InvalidArguments: they hold what JSON cannot carry; nothing was sent.
            UpstreamTimeout: no answer within the server's time-out; the call may have run.
            UpstreamDown: not connected, the connection broke, or the server broke the protocol.
        """
        _check_wire(tool, arguments)
        link = self._connected()
        try:
            return await self._call(link, tool, arguments)
        except MCPError as exc:
            if exc.code != SESSION_LOST:
                raise self._down(exc) from exc
        # The server forgot the session before it ran anything, so a second try is safe.
        await self._reopen(link)
        try:
            return await self._call(self._connected(), tool, arguments)
        except MCPError as exc:
            raise self._down(exc) from exc

    async def _call(self, link: _Link, tool: str, arguments: dict[str, Any]) -> CallToolResult:
        limit = self.config.timeout_s
        try:
            async with asyncio.timeout(limit + 1):
                return await link.client.call_tool(tool, arguments, read_timeout_seconds=limit)
        except TimeoutError as exc:
            raise self._timeout(tool) from exc
        except MCPError as exc:
            if exc.code == REQUEST_TIMEOUT:
                raise self._timeout(tool) from exc
            raise
        except (ValueError, RuntimeError) as exc:
            # The SDK's words for a result that is none, or that breaks the tool's output schema.
            message = str(exc).split("\n", 1)[0]
            raise UpstreamDown(
                f"server {self.name} answered {tool} with no result: {message}"
            ) from exc

    def _timeout(self, tool: str) -> UpstreamTimeout:
        return UpstreamTimeout(
            f"server {self.name} did not answer {tool} within {self.config.timeout_s:g} s; "
            "the call may have run"
        )

    def _down(self, exc: MCPError) -> UpstreamDown:
        return UpstreamDown(f"server {self.name}: {exc.message}")

    def _expect_news(self) -> None:
        self._listed.clear()
        self._failed.clear()

    async def _reopen(self, lost: _Link) -> None:
        if self._link is not None and self._link is not lost:
            return  # another call has done it
        self._expect_news()
        lost.broken.set()
        await self.first_listing(_REOPEN_S)

    def _connected(self) -> _Link:
        if self._link is None:
            raise UpstreamDown(f"server {self.name} is not connected: {self.error or 'starting'}")
        return self._link

    async def _own(self) -> None:
        delay = _FIRST_DELAY_S
        while self._owner is not None:
            began = time.monotonic()
            try:
                await self._hold_connection()
            except Exception as exc:
                served, self._link = self._link is not None, None
                if not served and self._dies_of_the_probe(exc):
                    self._era = "legacy"
                    continue
                self._note_failure(exc)
                if not served:
                    self._era = self.config.mode
                    self._failed.set()
            if time.monotonic() - began > _STEADY_S:
                delay = _FIRST_DELAY_S
            self._hurry.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), delay * random.uniform(0.8, 1.2))
            delay = min(2 * delay, _LAST_DELAY_S)

    def _dies_of_the_probe(self, exc: Exception) -> bool:
        """Some servers exit when the first request is not `initialize`."""
        reason = _innermost(exc)
        closed = isinstance(reason, MCPError) and reason.code == CONNECTION_CLOSED
        return closed and self._era == "auto" and self.config.command is not None

    async def _hold_connection(self) -> None:
        """Connect, list and serve until the connection breaks."""
        closed = anyio.Event()
        link: _Link | None = None

        async def on_message(message: IncomingMessage) -> None:
            if isinstance(message, ToolListChangedNotification) and link is not None:
                link.wake.set()

        client = Client(
            connect(self.config, closed),
            mode=self._era,
            message_handler=on_message,
            read_timeout_seconds=self.config.timeout_s,
        )
        async with client:
            modern = client.protocol_version in MODERN_PROTOCOL_VERSIONS
            # Probing costs ten seconds on servers that ignore what they do not know.
            self._era = self.config.mode if modern else "legacy"
            link = _Link(client)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._break_when, closed, link)
                if modern:
                    tasks.start_soon(self._listen, link)
                await self._serve(link)
                tasks.cancel_scope.cancel()

    async def _serve(self, link: _Link) -> None:
        failures = 0
        while not link.broken.is_set():
            link.wake = anyio.Event()
            try:
                self._take(await read_listing(link.client), link)
                failures, pause = 0, self.config.poll_s * random.uniform(0.9, 1.1)
            except MCPError as exc:
                failures += 1
                lost = self._link is None or exc.code == SESSION_LOST or link.broken.is_set()
                if lost or failures == _MAX_FAILED_LISTS:
                    raise
                self._note_failure(exc)
                self._failed.set()
                pause = _FIRST_DELAY_S * 2**failures
            with anyio.move_on_after(pause):
                await _either(link.wake, link.broken)
                await anyio.sleep(_DEBOUNCE_S)
        raise MCPError(CONNECTION_CLOSED, "the connection was closed by the server")

    def _take(self, listing: Listing, link: _Link) -> None:
        self.listing, self.listed_at = listing, time.time()
        self.state, self.error = "ready", None
        self._link = link
        self.on_listing(self)
        self._listed.set()

    async def _break_when(self, closed: anyio.Event, link: _Link) -> None:
        await closed.wait()
        link.broken.set()

    async def _listen(self, link: _Link) -> None:
        """Changes told by a server of the 2026-07-28 revision.

        Nothing is replayed, so every beginning and every end of a subscription asks for a list.
        """
        delay = _FIRST_DELAY_S
        while True:
            try:
                async with link.client.listen(tools_list_changed=True) as subscription:
                    if subscription.honored.tools_list_changed:
                        link.wake.set()
                    async for _ in subscription:
                        delay = _FIRST_DELAY_S
                        link.wake.set()
                    if subscription.honored.tools_list_changed:
                        link.wake.set()
            except SubscriptionLost:
                link.wake.set()
            except MCPError as exc:
                if exc.code == METHOD_NOT_FOUND:
                    return  # the server offers no subscriptions: the poll remains
            except TimeoutError:
                pass
            await anyio.sleep(delay)
            delay = min(2 * delay, _LAST_DELAY_S)

    def _note_failure(self, exc: Exception) -> None:
        self.state = "down"
        self.error = _reason(exc)
        logger.warning(
            "server %s is down: %s", self.name, self.error,
            extra={"event": "upstream_down", "server": self.name},
        )  # fmt: skip


async def _either(first: anyio.Event, second: anyio.Event) -> None:
    async with anyio.create_task_group() as tasks:

        async def wait(event: anyio.Event) -> None:
            await event.wait()
            tasks.cancel_scope.cancel()

        tasks.start_soon(wait, first)
        tasks.start_soon(wait, second)


def _check_wire(tool: str, arguments: dict[str, Any]) -> None:
    """The SDK loses the whole connection over a message that it cannot write."""
    try:
        json.dumps(arguments, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as exc:
        message = f"JSON cannot carry them: {exc}".split("\n", 1)[0]
        raise InvalidArguments(tool, [{"pointer": "", "message": message}]) from exc


def _innermost(exc: BaseException) -> BaseException:
    while isinstance(exc, BaseExceptionGroup):
        exc = exc.exceptions[0]
    return exc


def _reason(exc: BaseException) -> str:
    """The innermost reason of an exception group, in one line."""
    exc = _innermost(exc)
    return f"{type(exc).__name__}: {exc}".split("\n", 1)[0].rstrip(": ")
