"""For whom a request goes to a server: the agent's own request, so that its news can go back.

A face sets `CALLER` around what it asks for; the connections below read it. What a server sends
while it works (progress, log lines, questions to the agent) arrives in the context in which the
request was sent, because the SDK carries the sender's context along its streams, and so finds its
way back to the one agent among many on a shared connection. Without a caller nothing is passed
on: the other faces have no way to take it.
"""

import asyncio
from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from gateway.toolsets.asking import Line
    from gateway.toolsets.upstream import Upstream


class Clock:
    """The time limit of one request to a server, which progress and questions move."""

    def __init__(self, timeout: asyncio.Timeout, limit_s: float) -> None:
        self._timeout = timeout
        self._limit_s = limit_s

    def stop(self) -> None:
        """No limit while the agent is asked."""
        self._reschedule(None)

    def restart(self) -> None:
        """The whole limit from now."""
        self._reschedule(asyncio.get_running_loop().time() + self._limit_s)

    def _reschedule(self, when: float | None) -> None:
        if not self._timeout.expired():
            self._timeout.reschedule(when)


class Caller(Protocol):
    """An agent's request in flight."""

    clock: Clock | None
    """The time limit of what is asked for it now."""

    @property
    def modern(self) -> bool:
        """Whether the agent speaks the 2026-07-28 revision, which asks for input in results."""
        ...

    @property
    def meta(self) -> Mapping[str, Any]:
        """The `_meta` of the agent's request."""
        ...

    @property
    def answers(self) -> Mapping[str, Any]:
        """`inputResponses` and `requestState` that the agent gave, to an earlier question."""
        ...

    @property
    def wants_progress(self) -> bool:
        """Whether the agent asked to be told of progress."""
        ...

    async def line(self, upstream: "Upstream") -> "Line":
        """The connection to use: the agent's own or the shared one."""
        ...

    async def progress(self, progress: float, total: float | None, message: str | None) -> None:
        """Tell the agent how far its request is."""
        ...

    async def ask(self, method: str, params: Mapping[str, Any] | None) -> dict[str, Any]:
        """Put a server's question to the agent. Raises MCPError as the agent answers."""
        ...

    async def notify(self, method: str, params: Mapping[str, Any] | None) -> None:
        """Pass a server's notification on to the agent, as it came."""
        ...


CALLER: ContextVar[Caller | None] = ContextVar("CALLER", default=None)
