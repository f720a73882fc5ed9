"""Tells agents that what they were offered has changed: sessions of the handshake era and
subscriptions of the 2026-07-28 revision.

Tools are compared as they are listed, so that an agent hears of a change only where it shows.
Other news is passed on to whoever is offered something of the server it comes from.
"""

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler
from mcp.shared.subscriptions import ServerEvent, ToolsListChanged, event_to_notification
from mcp.types import SubscriptionsListenRequestParams, SubscriptionsListenResult

from gateway.errors import NotFound
from gateway.faces.mcp.agent import Context
from gateway.faces.mcp.offer import Address, Offer, Offers
from gateway.faces.mcp.session import AgentSession
from gateway.toolsets.link import Link
from gateway.toolsets.watch import Watch

logger = logging.getLogger(__name__)
_NOTHING = Offer((), {})


@dataclass(eq=False)
class _Listeners:
    """Who listens at one address, and what it offered when they were last told."""

    offer: Offer
    bus: InMemorySubscriptionBus
    streams: ListenHandler
    sessions: dict[int, AgentSession]


class News:
    """Fans changes out to the agents at each address."""

    def __init__(self, watch: Watch, offers: Offers, open_streams: int) -> None:
        """`open_streams`: how many may listen at one address."""
        self._watch = watch
        self._offers = offers
        self._open_streams = open_streams
        self._at: dict[Address, _Listeners] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        watch.on_catalog(lambda _: self.look_again())
        watch.on_news(self._on_news)

    def join(self, session: AgentSession, address: Address) -> None:
        """Keep a session told until `leave`."""
        self._listeners(address).sessions[id(session)] = session

    def leave(self, session: AgentSession) -> None:
        """A session that ended is told nothing any more."""
        for listeners in self._at.values():
            listeners.sessions.pop(id(session), None)

    async def listen(
        self, ctx: Context, params: SubscriptionsListenRequestParams, address: Address
    ) -> SubscriptionsListenResult:
        """Serve one `subscriptions/listen` for as long as the agent holds it."""
        listeners = self._listeners(address)
        uris = list(params.notifications.resource_subscriptions or ())
        followed = [
            asyncio.create_task(self._follow(link, uris, listeners.bus))
            for link in (self._links(listeners.offer) if uris else ())
        ]
        try:
            return await listeners.streams(ctx, params)
        finally:
            for task in followed:
                task.cancel()
            await asyncio.gather(*followed, return_exceptions=True)

    def warn(self, event: Mapping[str, Any], toolset: str) -> None:
        """Send an event as a log line to every session that is offered the toolset.

        The 2026-07-28 revision has log lines only within a request.
        """
        params = {"level": "warning", "logger": "pointsman", "data": dict(event)}
        for address, listeners in self._at.items():
            if address.toolset in (None, toolset):
                for session in listeners.sessions.values():
                    if session.wants("warning"):
                        self._later(session.tell("notifications/message", params))

    def close(self) -> None:
        """End every subscription in good order."""
        for listeners in self._at.values():
            listeners.streams.close()

    def _listeners(self, address: Address) -> _Listeners:
        if address not in self._at:
            bus = InMemorySubscriptionBus()
            offer = self._offers.get(address)
            streams = ListenHandler(bus, max_subscriptions=self._open_streams)
            self._at[address] = _Listeners(offer, bus, streams, {})
        return self._at[address]

    def _links(self, offer: Offer) -> list[Link]:
        servers = [up for up in self._watch.upstreams if up.name in offer.servers]
        links = [up.link for up in servers if up.link is not None]
        return [link for link in links if link.modern and link.offers.resources is not None]

    async def _follow(self, link: Link, uris: list[str], bus: InMemorySubscriptionBus) -> None:
        """Pass on the updates of resources that a server of the same revision tells of."""
        try:
            async with link.client.listen(resource_subscriptions=uris) as subscription:
                async for event in subscription:
                    await bus.publish(event)
        except Exception as exc:
            logger.info("a server's resources cannot be followed: %s", exc)

    def look_again(self) -> None:
        """Tell the agents at every address that offers something else than it did."""
        for address, listeners in self._at.items():
            try:
                offer = self._offers.get(address)
            except NotFound:
                offer = _NOTHING  # its server was removed
            changed = offer.listed != listeners.offer.listed
            listeners.offer = offer
            if changed:
                self._publish(ToolsListChanged(), listeners)

    def _on_news(self, server: str, event: ServerEvent) -> None:
        for listeners in self._at.values():
            if server in listeners.offer.servers:
                self._publish(event, listeners, server)

    def _publish(
        self, event: ServerEvent, listeners: _Listeners, server: str | None = None
    ) -> None:
        self._later(listeners.bus.publish(event))
        message = event_to_notification(event, {})
        data = message.model_dump(by_alias=True, mode="json", exclude_none=True)
        params = {k: v for k, v in (data.get("params") or {}).items() if k != "_meta"}
        for session in listeners.sessions.values():
            if server is None or not session.hears(server):
                self._later(session.tell(data["method"], params or None))

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
