"""An agent's own connection to a server, in the handshake era of the protocol.

There a server asks back over the connection (elicitation, sampling, roots), keeps a log level
and subscriptions for it, and decides by the abilities declared when it was opened what to do at
all. So each session of an agent has connections of its own, opened when first needed and declared
as the agent declared itself. One task owns each, as in `upstream`; tool lists are read there alone.
"""

import asyncio
from collections.abc import Mapping
from contextvars import Context
from typing import Any, Protocol

import anyio
from mcp.client.client import Client
from mcp.client.session import ClientRequestContext, IncomingMessage
from mcp.types import (
    ClientCapabilities,
    CreateMessageRequestParams,
    CreateMessageResult,
    CreateMessageResultWithTools,
    ElicitRequestParams,
    ElicitResult,
    Implementation,
    ListRootsResult,
    LoggingMessageNotification,
    ProgressNotification,
    PromptListChangedNotification,
    ResourceListChangedNotification,
    ResourceUpdatedNotification,
)
from pydantic import BaseModel

from gateway.config import ServerConfig
from gateway.errors import UpstreamDown
from gateway.toolsets.asking import reason
from gateway.toolsets.caller import Caller
from gateway.toolsets.connect import connect
from gateway.toolsets.link import Link

_NEWS = (
    PromptListChangedNotification,
    ResourceListChangedNotification,
    ResourceUpdatedNotification,
)
_GOODBYE_S = 2.0


class Agent(Protocol):
    """The agent's session, as a server may address it."""

    @property
    def info(self) -> Implementation | None:
        """The agent's name and version."""
        ...

    @property
    def abilities(self) -> ClientCapabilities:
        """What the agent said it can do."""
        ...

    async def ask(
        self, caller: Caller | None, method: str, params: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        """Put a server's question to the agent. Raises MCPError as the agent answers."""
        ...

    async def tell(self, method: str, params: Mapping[str, Any] | None) -> None:
        """Give the agent a notification that belongs to no request of its own."""
        ...

    async def opened(self, link: Link) -> None:
        """Called with every new connection before it is used."""
        ...


class PrivateLine:
    """A connection of one agent's session to one server; a `Line`."""

    def __init__(self, config: ServerConfig, agent: Agent) -> None:
        self._config = config
        self._agent = agent
        self._link: Link | None = None
        self._newest: Link | None = None
        self._owner: asyncio.Task[None] | None = None
        self._opening = asyncio.Lock()

    @property
    def link(self) -> Link | None:
        """The live connection, if there is one."""
        return self._link

    async def connected(self) -> Link:
        """The live connection, opened if need be.

        Raises:
            UpstreamDown: the server cannot be reached, or does not speak this era.
        """
        async with self._opening:
            if self._link is not None and not self._link.broken.is_set():
                return self._link
            await self.close()
            ready: asyncio.Future[Link] = asyncio.get_running_loop().create_future()
            # A context of its own: what the server says later belongs to no request of now.
            self._owner = asyncio.create_task(self._own(ready), context=Context())
            try:
                async with asyncio.timeout(self._config.timeout_s):
                    link = await asyncio.shield(ready)
                await self._agent.opened(link)
            except TimeoutError as exc:
                await self.close()
                raise UpstreamDown(f"server {self._config.name} did not connect in time") from exc
            self._link = link
            return link

    async def reopen(self, lost: Link) -> None:
        """Forget a connection; the next `connected` opens another."""
        await lost.idle(_GOODBYE_S)
        lost.broken.set()

    async def close(self) -> None:
        """End the connection; idempotent."""
        owner, self._owner, link, self._link = self._owner, None, self._link, None
        if link is not None:
            link.broken.set()
        if owner is not None:
            if link is None:
                owner.cancel()
            _, late = await asyncio.wait((owner,), timeout=_GOODBYE_S)
            for task in late:
                task.cancel()

    async def _own(self, ready: asyncio.Future[Link]) -> None:
        closed = anyio.Event()
        try:
            async with self._client(closed) as client:
                link = Link(client)
                self._newest = link
                ready.set_result(link)
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(_relay, closed, link.broken)
                    await link.broken.wait()
                    tasks.cancel_scope.cancel()
        except Exception as exc:
            if not ready.done():
                ready.set_exception(UpstreamDown(f"server {self._config.name}: {reason(exc)}"))
        finally:
            if not ready.done():
                ready.cancel()
            elif not ready.cancelled() and ready.exception() is None:
                ready.result().broken.set()

    def _client(self, closed: anyio.Event) -> Client:
        can = self._agent.abilities
        return Client(
            connect(self._config, closed),
            mode="legacy",
            cache=None,
            client_info=self._agent.info,
            message_handler=self._on_message,
            sampling_callback=self._sample if can.sampling else None,
            sampling_capabilities=can.sampling,
            elicitation_callback=self._elicit if can.elicitation else None,
            list_roots_callback=self._roots if can.roots else None,
        )

    async def _on_message(self, message: IncomingMessage) -> None:
        if isinstance(message, Exception | ProgressNotification):
            return  # progress finds its request by its token
        data = message.model_dump(by_alias=True, mode="json", exclude_none=True)
        caller = self._caller()
        if isinstance(message, LoggingMessageNotification) and caller is not None:
            await caller.notify(data["method"], data.get("params"))
        elif isinstance(message, (*_NEWS, LoggingMessageNotification)):
            await self._agent.tell(data["method"], data.get("params"))

    def _caller(self) -> Caller | None:
        return self._newest.caller() if self._newest is not None else None

    async def _ask(self, method: str, params: BaseModel | None) -> dict[str, Any]:
        data = params.model_dump(by_alias=True, mode="json", exclude_none=True) if params else None
        return await self._agent.ask(self._caller(), method, data)

    async def _sample(
        self, context: ClientRequestContext, params: CreateMessageRequestParams
    ) -> CreateMessageResult | CreateMessageResultWithTools:
        found = await self._ask("sampling/createMessage", params)
        kind = CreateMessageResultWithTools if params.tools else CreateMessageResult
        return kind.model_validate(found, by_name=False)

    async def _elicit(
        self, context: ClientRequestContext, params: ElicitRequestParams
    ) -> ElicitResult:
        return ElicitResult.model_validate(
            await self._ask("elicitation/create", params), by_name=False
        )

    async def _roots(self, context: ClientRequestContext) -> ListRootsResult:
        return ListRootsResult.model_validate(await self._ask("roots/list", None), by_name=False)


async def _relay(first: anyio.Event, then: anyio.Event) -> None:
    await first.wait()
    then.set()
