"""All upstreams, and the live catalog they add up to.

Every list that arrives whole makes a new catalog, swapped in one assignment; those who asked are
told. Register, remove and refresh are the only ways in from above.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from mcp.shared.subscriptions import ServerEvent

from gateway.config import ServerConfig, ToolsetConfig
from gateway.errors import Conflict, Forbidden, NameCollision, UnknownServer
from gateway.toolsets.catalog import Catalog, build_catalog, collisions
from gateway.toolsets.flags import Finding
from gateway.toolsets.held import Held
from gateway.toolsets.holds import Holds, find_held
from gateway.toolsets.upstream import Upstream

logger = logging.getLogger(__name__)

_REGISTER_S = 20.0


class Watch:
    """Owns the upstreams; `catalog` is always a whole snapshot."""

    def __init__(
        self,
        servers: Sequence[ServerConfig],
        toolsets: Sequence[ToolsetConfig],
        holds: Holds | None = None,
    ) -> None:
        self.holds = holds or Holds()
        self._flagged: set[tuple[str, str, tuple[Finding, ...]]] = set()
        self.catalog = build_catalog((), toolsets)
        self._configured = tuple(server.name for server in servers)
        self._toolsets = tuple(toolsets)
        self._told: list[Callable[[Catalog], None]] = []
        self._news_told: list[Callable[[str, ServerEvent], None]] = []
        self._upstreams = {server.name: self._upstream(server) for server in servers}
        self._registering = asyncio.Lock()

    @property
    def upstreams(self) -> Sequence[Upstream]:
        """Every upstream in the order of registration."""
        return tuple(self._upstreams.values())

    def on_catalog(self, told: Callable[[Catalog], None]) -> None:
        """Call `told` with every new catalog, on the event loop."""
        self._told.append(told)

    def on_news(self, told: Callable[[str, ServerEvent], None]) -> None:
        """Call `told` with a server's name when its prompts or resources changed."""
        self._news_told.append(told)

    def start(self) -> None:
        """Start every configured upstream; returns at once, whatever their state."""
        for upstream in self._upstreams.values():
            upstream.start()

    async def close(self) -> None:
        """End every upstream."""
        await asyncio.gather(*(upstream.close() for upstream in self._upstreams.values()))

    def upstream(self, name: str) -> Upstream:
        """The upstream of a name. Raises UnknownServer."""
        if name not in self._upstreams:
            raise UnknownServer(f"no server {name!r} is registered")
        return self._upstreams[name]

    def is_configured(self, name: str) -> bool:
        """Whether the configuration file declares the server, which makes it read-only here."""
        return name in self._configured

    async def register(self, config: ServerConfig) -> Upstream:
        """Connect to a server and take its tools in.

        Raises:
            Conflict: a server of this name is registered already.
            NameCollision: a tool's name is taken; the error says which prefix to set.
            UpstreamDown: the server cannot be reached, or its list does not arrive.
        """
        async with self._registering:
            if config.name in self._upstreams:
                raise Conflict(f"a server {config.name!r} is registered already")
            upstream = Upstream(config, lambda _: None)
            upstream.start()
            try:
                await upstream.first_listing(_REGISTER_S)
                assert upstream.listing is not None
                found = collisions(self.catalog, config, upstream.listing)
                if found:
                    raise NameCollision("; ".join(found[:5]))
            except BaseException:
                await upstream.close()
                raise
            upstream.on_listing = self._rebuild
            upstream.on_news = self._pass_news(config.name)
            self._upstreams[config.name] = upstream
            self._rebuild(upstream)
            return upstream

    def restore(self, config: ServerConfig) -> None:
        """Take back a server registered in an earlier run, reachable or not."""
        if config.name in self._upstreams:
            logger.warning(
                "server %s is configured now; the registered one is left out", config.name
            )
            return
        upstream = self._upstream(config)
        self._upstreams[config.name] = upstream
        upstream.start()

    async def remove(self, name: str) -> None:
        """Disconnect a registered server. Raises UnknownServer, or Forbidden if configured."""
        upstream = self.upstream(name)
        if self.is_configured(name):
            raise Forbidden(f"server {name!r} is declared in the configuration file")
        await self._take_out(upstream)
        await self.holds.forget(name)

    async def release(self, name: str) -> None:
        """Disconnect a server that another gateway over the same records removed; one that is
        configured here, or gone already, is left alone."""
        upstream = self._upstreams.get(name)
        if upstream is not None and not self.is_configured(name):
            await self._take_out(upstream)
            self.holds.release(name)

    async def approve(self, tool: str, fingerprint: str, definition: str | None = None) -> Held:
        """Approve the definition that waits under a tool's name, and offer it from now on.

        Raises:
            NotFound: nothing waits under the name.
            Conflict: another definition waits by now.
        """
        held = find_held(self.catalog.held, tool)
        await self.holds.approve(held, fingerprint, definition)
        self._rebuild(None)
        return held

    async def follow(self) -> None:
        """Take over what was approved through another gateway over the same records."""
        if await self.holds.follow():
            self._rebuild(None)

    async def refresh(self, name: str) -> None:
        """List a server's tools again. Raises UnknownServer, UpstreamDown."""
        await self.upstream(name).refresh()

    async def _take_out(self, upstream: Upstream) -> None:
        del self._upstreams[upstream.name]
        self._rebuild(None)
        await upstream.close()

    def _upstream(self, config: ServerConfig) -> Upstream:
        upstream = Upstream(config, self._rebuild)
        upstream.on_news = self._pass_news(config.name)
        return upstream

    def _pass_news(self, server: str) -> Callable[[ServerEvent], None]:
        def news(event: ServerEvent) -> None:
            for told in self._news_told:
                told(server, event)

        return news

    def _rebuild(self, _: Upstream | None) -> None:
        listings = [
            (u.config, self.holds.screen(u.config, u.listing))
            for u in self._upstreams.values()
            if u.listing
        ]
        catalog = build_catalog(listings, self._toolsets, self.catalog)
        if catalog == self.catalog:
            return
        self._announce(catalog)
        self.catalog = catalog
        for told in self._told:
            try:
                told(catalog)
            except Exception:
                # Whoever listens must not cost the others the news, or the upstream its connection.
                logger.exception("a listener failed on a new catalog")

    def _announce(self, catalog: Catalog) -> None:
        """Log what a new catalog leaves out, holds and flags."""
        for item in set(catalog.left_out) - set(self.catalog.left_out):
            logger.warning(
                "tool %s of server %s is left out: %s", item.tool, item.server, item.reason,
                extra={"event": "tool_left_out", "server": item.server, "tool": item.tool},
            )  # fmt: skip
        for held in catalog.held.values():
            if self.catalog.held.get(held.name) != held:
                logger.warning(
                    "tool %s of server %s is held, it is %s: pointsman tools approve %s",
                    held.name, held.server, held.state, held.name,
                    extra={"event": "tool_held", **held.named()},
                )  # fmt: skip
        for entry in catalog.entries.values():
            self._flag(entry.server, entry.tool.name, entry.flags)
        for held in catalog.held.values():
            self._flag(held.server, held.name, held.flags)

    def _flag(self, server: str, tool: str, flags: tuple[Finding, ...]) -> None:
        if not flags or (server, tool, flags) in self._flagged:
            return
        self._flagged.add((server, tool, flags))
        found = "; ".join(f"{flag.kind} at {flag.pointer}: {flag.text}" for flag in flags)
        logger.warning(
            "tool %s of server %s has suspicious text: %s", tool, server, found,
            extra={"event": "tool_flagged", "server": server, "tool": tool,
                   "flags": [flag.as_dict() for flag in flags]},
        )  # fmt: skip
