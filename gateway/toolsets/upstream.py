"""One MCP server behind the gateway: its configuration, its live connection, its last good list.

One task owns the connection: it alone enters and leaves the SDK's `Client` (cancel scopes break
otherwise), lists the tools after every connect, every `list_changed` of either protocol era and
every poll, and reconnects with back-off. A list counts only if all its pages arrived; after an
error the last good list stays, and the connection with it unless lists keep failing. A list that
arrives without a tool counts: what a server does not list is not called. Above stands `watch`,
which turns lists into catalogs; below, `connect` builds the transports, `link` and `asking` send
the requests, `listing` reads the tools and `pace` says when.
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Literal

import anyio
from mcp.client.client import Client
from mcp.client.session import IncomingMessage
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import ServerEvent
from mcp.types import CONNECTION_CLOSED, CallToolResult

from gateway.config import ServerConfig
from gateway.errors import UpstreamDown
from gateway.toolsets.asking import Line, ask, check_wire, innermost, reason, result_of
from gateway.toolsets.caller import CALLER
from gateway.toolsets.changes import follow, hear
from gateway.toolsets.connect import SESSION_LOST, connect
from gateway.toolsets.link import Link
from gateway.toolsets.listing import Listing, read_listing
from gateway.toolsets.notices import tell_down, tell_vanished
from gateway.toolsets.pace import DEBOUNCE_S, Pace
from gateway.toolsets.straight import straight_way

State = Literal["connecting", "ready", "down"]
_FIRST_DELAY_S, _LAST_DELAY_S = 0.2, 30.0
_STEADY_S = 10.0
_REOPEN_S = 5.0
_REFUSALS_S = 1.0
_MAX_FAILED_LISTS = 3


class Upstream:
    """A connection that is kept alive until `close`; a `Line`."""

    def __init__(self, config: ServerConfig, on_listing: Callable[["Upstream"], None]) -> None:
        """`on_listing` is called, on the event loop, after every list that arrived whole."""
        self.config = config
        self.state: State = "connecting"
        self.error: str | None = None
        self.warning: str | None = None
        self.listing: Listing | None = None
        self.listed_at: float | None = None
        self.on_listing = on_listing
        self.on_news: Callable[[ServerEvent], None] = lambda _: None
        self._link: Link | None = None
        self._era: str = config.mode
        self._pace = Pace(config.poll_s)
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
            self._link.asked.set()
        await self.first_listing(timeout_s)

    async def call(self, tool: str, arguments: dict[str, Any]) -> CallToolResult:
        """Call a tool by the server's own name for it. A failed tool is a result, not an error.

        Raises:
            InvalidArguments: they hold what JSON cannot carry; nothing was sent.
            UpstreamTimeout: no answer within the server's time-out; the call may have run.
            UpstreamRefused: the server answered with an error instead of a result.
            InputRequired: the tool asks for more input.
            UpstreamDown: not connected, the connection broke, or the server broke the protocol.
        """
        check_wire(tool, arguments)
        caller = CALLER.get()
        answers = caller.answers if caller is not None else {}
        params = {"name": tool, "arguments": arguments, **answers}
        raw = await self.request("tools/call", params, tool)
        return result_of(self.config, self._link, tool, raw)

    async def request(
        self, method: str, params: Mapping[str, Any], what: str | None = None
    ) -> dict[str, Any]:
        """The raw result of any request, over the line of whoever it is for.

        Raises:
            UpstreamTimeout, UpstreamRefused, UpstreamDown: as `ask`.
        """
        caller = CALLER.get()
        line: Line = await caller.line(self) if caller is not None else self
        return await ask(line, self.config, method, params, what or method)

    async def connected(self) -> Link:
        """The shared connection. Raises UpstreamDown if there is none now."""
        if self._link is None:
            raise UpstreamDown(f"server {self.name} is not connected: {self.error or 'starting'}")
        return self._link

    async def reopen(self, lost: Link) -> None:
        """Connect anew, unless another call has done so. Raises UpstreamDown."""
        if self._link is not None and self._link is not lost:
            return
        # Requests that the server refused with this one must hear so, not that we hung up.
        await lost.idle(_REFUSALS_S)
        self._expect_news()
        lost.broken.set()
        await self.first_listing(_REOPEN_S)

    @property
    def link(self) -> Link | None:
        """The shared connection as it is now."""
        return self._link

    def _tell(self, event: ServerEvent) -> None:
        self.on_news(event)

    def _expect_news(self) -> None:
        self._listed.clear()
        self._failed.clear()

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
        cause = innermost(exc)
        closed = isinstance(cause, MCPError) and cause.code == CONNECTION_CLOSED
        return closed and self._era == "auto" and self.config.command is not None

    async def _hold_connection(self) -> None:
        """Connect, list and serve until the connection breaks."""
        closed = anyio.Event()
        link: Link | None = None

        async def on_message(message: IncomingMessage) -> None:
            if link is not None and not isinstance(message, Exception):
                await hear(message, link, self._tell)

        client = Client(
            connect(self.config, closed),
            mode=self._era,
            message_handler=on_message,
            read_timeout_seconds=self.config.timeout_s,
        )
        async with client, straight_way(self.config) as straight:
            link = Link(client, straight)
            # Probing costs ten seconds on servers that ignore what they do not know.
            self._era = self.config.mode if link.modern else "legacy"
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._break_when, closed, link)
                if link.modern:
                    tasks.start_soon(follow, link, self._tell)
                await self._serve(link)
                tasks.cancel_scope.cancel()

    async def _serve(self, link: Link) -> None:
        while not link.broken.is_set():
            link.calm()
            try:
                self._take(await read_listing(link.client), link)
            except MCPError as exc:
                self._pace = self._pace.failed()
                lost = self._link is None or exc.code == SESSION_LOST or link.broken.is_set()
                if lost or self._pace.failures >= _MAX_FAILED_LISTS:
                    raise
                self._note_failure(exc)
                self._failed.set()
            await self._rest(link)
        raise MCPError(CONNECTION_CLOSED, "the connection was closed by the server")

    async def _rest(self, link: Link) -> None:
        """Until the next list is due or asked for, or the connection is over."""
        with anyio.move_on_after(self._pace.poll_in(time.monotonic(), random.random())):
            await link.stirred()
            with anyio.move_on_after(self._pace.told_in(time.monotonic())):
                await link.pressed()
            await anyio.sleep(DEBOUNCE_S if link.asked.is_set() else 0)

    def _take(self, listing: Listing, link: Link) -> None:
        self._pace = self._pace.listed(self.listing, listing, time.monotonic())
        if self._pace.empties == 1:
            self.warning = tell_vanished(self.name, self.listing)
        elif not self._pace.empties:
            self.warning = None
        self.listing, self.listed_at = listing, time.time()
        self.state, self.error = "ready", None
        self._link = link
        self.on_listing(self)
        self._listed.set()

    async def _break_when(self, closed: anyio.Event, link: Link) -> None:
        await closed.wait()
        link.broken.set()

    def _note_failure(self, exc: Exception) -> None:
        self.state = "down"
        self.error = reason(exc)
        age_s = time.time() - self.listed_at if self.listed_at is not None else None
        tell_down(self.name, self.error, self.listing, age_s)
