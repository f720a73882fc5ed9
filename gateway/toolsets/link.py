"""One live connection to a server: raw requests over the SDK's client, and whose they are.

Requests and results are the dictionaries of the wire: what the gateway only passes on is not
parsed into types and back. Above stand the owners of connections (`upstream`, `private`), below
the SDK's session, of which the raw request and the stamping of its envelope are used.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
from mcp.client.client import Client
from mcp.types import (
    CLIENT_CAPABILITIES_META_KEY,
    CLIENT_INFO_META_KEY,
    LoggingMessageNotification,
    ServerCapabilities,
    ServerNotification,
)
from mcp.types.version import MODERN_PROTOCOL_VERSIONS

from gateway.toolsets.caller import CALLER, Caller
from gateway.toolsets.straight import Straight

_RESERVED_META = "io.modelcontextprotocol/"
_AGENTS_OWN = (CLIENT_INFO_META_KEY, CLIENT_CAPABILITIES_META_KEY)


@dataclass(eq=False)
class Link:
    """One live connection. `wake` tells the owner of a change, `asked` that somebody waits for a
    list, `broken` that it is over. `straight` is the shorter way, where there is one."""

    client: Client
    straight: Straight | None = None
    wake: anyio.Event = field(default_factory=anyio.Event)
    asked: anyio.Event = field(default_factory=anyio.Event)
    broken: anyio.Event = field(default_factory=anyio.Event)
    _callers: list[Caller | None] = field(default_factory=list[Caller | None])
    _idle: anyio.Event = field(default_factory=anyio.Event)

    @property
    def modern(self) -> bool:
        """Whether the connection speaks the 2026-07-28 revision."""
        return self.client.protocol_version in MODERN_PROTOCOL_VERSIONS

    @property
    def offers(self) -> ServerCapabilities:
        """What the server said it can do."""
        return self.client.server_capabilities

    async def request(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Send one request and give back its raw result.

        Raises:
            MCPError: the server refused, or the connection broke.
        """
        caller = CALLER.get()
        session: Any = self.client.session
        data: dict[str, Any] = {"method": method, "params": dict(params)}
        options: dict[str, Any] = {}
        data["params"]["_meta"] = self._meta(caller)
        session._stamp(data, options)
        if caller is not None and self.modern and caller.modern:
            # The server must see the agent's abilities, not ours, to know what it may ask for.
            data["params"]["_meta"] |= {k: caller.meta[k] for k in _AGENTS_OWN if k in caller.meta}
        if caller is not None and caller.wants_progress:
            options["on_progress"] = caller.progress
        straight = self.straight if self.modern else None
        self._callers.append(caller)
        try:
            # Reports of progress find their request in the SDK's client alone.
            if straight is not None and straight.usable and "on_progress" not in options:
                headers = options.get("headers", {})
                found = await straight.request(method, data["params"], headers, caller)
                if found is not None:
                    return found
            return await session._dispatcher.send_raw_request(method, data["params"], options)
        finally:
            self._callers.remove(caller)
            if not self._callers:
                self._idle.set()
                self._idle = anyio.Event()

    def calm(self) -> None:
        """Forget what has been told and asked, before a list that answers it."""
        self.wake, self.asked = anyio.Event(), anyio.Event()

    async def stirred(self) -> None:
        """Wait until a change is told, a list is asked for, or the connection is over."""
        await _first_of(self.wake, self.asked, self.broken)

    async def pressed(self) -> None:
        """Wait until a list is asked for, or the connection is over."""
        await _first_of(self.asked, self.broken)

    async def idle(self, limit_s: float) -> None:
        """Wait until no request is in flight, or the limit is over."""
        if self._callers:
            with anyio.move_on_after(limit_s):
                await self._idle.wait()

    async def notify(self, method: str, params: Mapping[str, Any] | None) -> None:
        """Send a notification; lost without a word if the connection is gone."""
        session: Any = self.client.session
        data: dict[str, Any] = {"method": method, "params": dict(params or {})}
        options: dict[str, Any] = {}
        session._stamp(data, options)
        await session._dispatcher.notify(method, data["params"] or None, options)

    def output_schema(self, tool: str) -> dict[str, Any] | None:
        """The output schema that a tool was listed with, if it was with one."""
        session: Any = self.client.session
        return session._tool_output_schemas.get(tool)

    def caller(self) -> Caller | None:
        """Whose request what just arrived belongs to, as far as that can be told.

        Over stdio nothing says so; there it is known if a single request is in flight.
        """
        return CALLER.get() or (self._callers[0] if len(self._callers) == 1 else None)

    async def pass_on(self, message: ServerNotification) -> None:
        """Give a log line to the agent whose request it is about."""
        caller = self.caller()
        if caller is not None and isinstance(message, LoggingMessageNotification):
            data = message.model_dump(by_alias=True, mode="json", exclude_none=True)
            await caller.notify(data["method"], data["params"])

    def _meta(self, caller: Caller | None) -> dict[str, Any]:
        """The agent's `_meta`, less what belongs to its own connection."""
        if caller is None:
            return {}
        if self.modern and caller.modern:
            return {k: v for k, v in caller.meta.items() if k != "progressToken"}
        return {
            key: value
            for key, value in caller.meta.items()
            if key != "progressToken" and not key.startswith(_RESERVED_META)
        }


async def _first_of(*events: anyio.Event) -> None:
    async with anyio.create_task_group() as tasks:

        async def wait(event: anyio.Event) -> None:
            await event.wait()
            tasks.cancel_scope.cancel()

        for event in events:
            tasks.start_soon(wait, event)
