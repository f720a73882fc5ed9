"""A session of the handshake era: the agent as it declared itself, and its own connections.

It lives in the SDK's connection and ends with it. The 2026-07-28 revision has no sessions.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

from mcp.server import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.types import ClientCapabilities, Implementation, LoggingLevel

from gateway.errors import UpstreamDown
from gateway.toolsets.asking import Line
from gateway.toolsets.caller import Caller
from gateway.toolsets.link import Link
from gateway.toolsets.private import PrivateLine
from gateway.toolsets.upstream import Upstream

logger = logging.getLogger(__name__)
_KEY = "pointsman"
_LEVELS: tuple[str, ...] = get_args(LoggingLevel)
"""Mildest first, as the MCP schema lists them."""


class AgentSession:
    """One agent's session; the `Agent` of its connections."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._lines: dict[str, tuple[Upstream, PrivateLine]] = {}
        self._shared: set[Upstream] = set()
        self._level: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, ctx: ServerRequestContext[Any, Any]) -> "AgentSession":
        """The session that a request belongs to."""
        channel: Any = ctx.session
        connection = channel._connection
        if _KEY not in connection.state:
            made = connection.state[_KEY] = cls(connection)
            connection.exit_stack.push_async_callback(made.close)
        return connection.state[_KEY]

    def on_close(self, work: Callable[[], None]) -> None:
        """Do some work when the session ends."""
        self._connection.exit_stack.callback(work)

    @property
    def info(self) -> Implementation | None:
        """The agent's name and version."""
        params = self._connection.client_params
        return params.client_info if params is not None else None

    @property
    def abilities(self) -> ClientCapabilities:
        """What the agent said it can do."""
        return self._connection.client_capabilities or ClientCapabilities()

    @property
    def links(self) -> Sequence[Link]:
        """The session's live connections."""
        lines = (line.link for _, line in self._lines.values())
        return [link for link in lines if link is not None]

    def hears(self, server: str) -> bool:
        """Whether a server tells this session its news over a connection of its own."""
        kept = self._lines.get(server)
        return kept is not None and kept[1].link is not None

    async def line(self, upstream: Upstream) -> Line:
        """The session's own connection to a server, or the shared one.

        A process is started anew only for an agent that the server could ask something. A server
        without the handshake era is reached over the shared connection.
        """
        if upstream in self._shared or not self._is_worth(upstream):
            return upstream
        owner, line = self._lines.get(upstream.name, (None, None))
        if line is None or owner is not upstream:
            old, line = line, PrivateLine(upstream.config, self)
            self._lines[upstream.name] = (upstream, line)
            if old is not None:  # the server was removed and registered again
                await old.close()
        try:
            await line.connected()
        except UpstreamDown:
            link = upstream.link
            if link is None:
                raise
            if link.modern:
                self._shared.add(upstream)
            return upstream
        return line

    def _is_worth(self, upstream: Upstream) -> bool:
        can = self.abilities
        return upstream.config.url is not None or bool(can.elicitation or can.sampling or can.roots)

    async def ask(
        self, caller: Caller | None, method: str, params: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        """Put a server's question to the agent, on the stream of its request if that is known."""
        if caller is not None:
            return await caller.ask(method, params)
        return await self._connection.send_raw_request(method, params)

    async def tell(self, method: str, params: Mapping[str, Any] | None) -> None:
        """Send the agent a notification; never fails."""
        await self._connection.notify(method, params)

    async def opened(self, link: Link) -> None:
        """Bring a new connection to the log level that the agent set."""
        if self._level is None or link.offers.logging is None:
            return
        try:
            await link.request("logging/setLevel", self._level)
        except MCPError as exc:
            logger.info("a server refuses the log level of an agent: %s", exc)

    async def set_level(self, params: Mapping[str, Any]) -> None:
        """Set the log level of every connection, and of those to come."""
        self._level = params
        await asyncio.gather(*(self.opened(link) for link in self.links))

    def wants(self, level: str) -> bool:
        """Whether the agent wants to read log lines of a level; all, as long as it set none."""
        least = str(self._level["level"]) if self._level is not None else _LEVELS[0]
        return _LEVELS.index(level) >= _LEVELS.index(least)

    async def roots_changed(self) -> None:
        """Tell every server that the agent's roots are others now."""
        for link in self.links:
            await link.notify("notifications/roots/list_changed", None)

    async def close(self) -> None:
        """End every connection."""
        await asyncio.gather(*(line.close() for _, line in self._lines.values()))
