"""An agent's request in flight, as the servers behind it see it: news and questions go back by it.

Everything sent here rides the stream of the agent's own request, so that it cannot reach another
agent, and is dropped once that request is answered or cancelled.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from mcp.server import ServerRequestContext
from mcp.server.connection import allowed_log_levels
from mcp.shared.exceptions import MCPError
from mcp.types.version import MODERN_PROTOCOL_VERSIONS

from gateway.faces.mcp.session import AgentSession
from gateway.toolsets.asking import Line
from gateway.toolsets.caller import Clock
from gateway.toolsets.upstream import Upstream

Context = ServerRequestContext[Any, Any]
_ANSWERS = ("inputResponses", "requestState")


class AgentRequest:
    """One request of an agent; a `Caller`."""

    def __init__(self, ctx: Context) -> None:
        params = ctx.params or {}
        self.clock: Clock | None = None
        self.modern = ctx.protocol_version in MODERN_PROTOCOL_VERSIONS
        self.meta: Mapping[str, Any] = params.get("_meta") or {}
        self.answers: Mapping[str, Any] = {k: params[k] for k in _ANSWERS if k in params}
        self.can_elicit = _can_elicit(ctx)
        self._ctx = ctx
        self._token = self.meta.get("progressToken")
        self._levels = allowed_log_levels(ctx.protocol_version, self.meta)
        self._session = None if self.modern else AgentSession.of(ctx)
        self._channel: Any = ctx.session
        self._telling: set[asyncio.Task[None]] = set()

    @property
    def wants_progress(self) -> bool:
        """Whether the agent gave a token to tell of progress under."""
        return self._token is not None

    async def line(self, upstream: Upstream) -> Line:
        """The agent's own connection where its era needs one, else the shared one."""
        if self._session is None:
            return upstream
        return await self._session.line(upstream)

    async def progress(self, progress: float, total: float | None, message: str | None) -> None:
        """Pass progress on under the agent's own token; what moves has more time."""
        self._restart_clock()
        params: dict[str, Any] = {"progressToken": self._token, "progress": progress}
        params |= {} if total is None else {"total": total}
        params |= {} if message is None else {"message": message}
        await self._send("notifications/progress", params)

    async def notify(self, method: str, params: Mapping[str, Any] | None) -> None:
        """Pass a log line on, if the agent wants its level."""
        if params is not None and params.get("level") in self._levels:
            await self._send(method, params)

    async def ask(self, method: str, params: Mapping[str, Any] | None) -> dict[str, Any]:
        """Put a server's question to the agent; the time it takes does not count."""
        if self.clock is not None:
            self.clock.stop()
        try:
            return await self._channel._request_outbound.send_raw_request(method, params)
        finally:
            self._restart_clock()

    async def settled(self) -> None:
        """Wait until what was told is on its way, so that the answer does not overtake it."""
        if self._telling:
            await asyncio.wait(self._telling)

    async def _send(self, method: str, params: Mapping[str, Any]) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._telling.add(task)
        try:
            await self._channel._request_outbound.notify(method, params)
        except MCPError:
            pass  # the agent is gone
        finally:
            if task is not None:
                self._telling.discard(task)

    def _restart_clock(self) -> None:
        if self.clock is not None:
            self.clock.restart()


def _can_elicit(ctx: Context) -> bool:
    """Whether a form can be put to the agent's user; before there were modes, there were forms."""
    abilities = ctx.session.client_capabilities
    can = abilities.elicitation if abilities is not None else None
    return can is not None and (can.form is not None or can.url is None)
