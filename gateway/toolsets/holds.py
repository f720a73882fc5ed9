"""Which definitions of a server's tools a person has approved, and what is held until one does.

For a server with `hold_changes`:

- the first list ever is approved on trust;
- a tool listed as it was approved passes;
- a changed one is offered as it was approved, and its calls are refused until it is approved anew;
- a new one is not offered at all until then.

A definition is compared whole, with what the fingerprint leaves out. Above stands `watch`; below,
whoever keeps the approvals.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Protocol

from mcp.types import Tool
from pydantic import ValidationError

from gateway.config import ServerConfig
from gateway.errors import Conflict, NotFound
from gateway.toolsets.held import Held, as_listed
from gateway.toolsets.listing import Listing

logger = logging.getLogger(__name__)
_KIND = "approved_tools"

Approved = Mapping[str, Tool]
"""A server's own name for a tool -> the definition approved last."""


class Keeper(Protocol):
    """Keeps values by kind and name, as the records do."""

    async def kept(self, kind: str) -> dict[str, Any]: ...

    async def keep(self, kind: str, values: Mapping[str, Any]) -> None: ...

    async def drop(self, kind: str, *names: str) -> None: ...


def screened(listing: Listing, approved: Approved, config: ServerConfig) -> Listing:
    """The list with every changed tool as it was approved, and the new ones taken out."""
    tools: list[Tool] = []
    held: list[Held] = []
    for tool in listing.tools:
        known = approved.get(tool.name)
        if known is None or as_listed(known) != as_listed(tool):
            shown = _seen(known, config) if known is not None else None
            listed = _seen(tool, config)
            held.append(Held(config.name, tool.name, listed, shown))
        if known is not None:
            tools.append(known)
    return Listing(tuple(tools), listing.left_out, tuple(held))


def _seen(tool: Tool, config: ServerConfig) -> Tool:
    return tool.model_copy(update={"name": config.prefix + tool.name})


class Holds:
    """The approvals of every server that has its changes held."""

    def __init__(self, keeper: Keeper | None = None) -> None:
        """Without a keeper, approvals last until the gateway stops."""
        self._keeper = keeper
        self._approved: dict[str, dict[str, Tool]] = {}
        self._writing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Bring back the approvals of earlier runs."""
        for server, tools in (await self._keeper.kept(_KIND) if self._keeper else {}).items():
            try:
                self._approved[server] = {n: Tool.model_validate(t) for n, t in tools.items()}
            except ValidationError as exc:
                # Trusting the next list instead would let anything in.
                self._approved[server] = {}
                logger.error("server %s: approvals cannot be read: %s", server, exc.error_count())

    async def close(self) -> None:
        """Wait until what was approved on trust is kept."""
        if self._writing is not None:
            await asyncio.wait((self._writing,))

    def screen(self, config: ServerConfig, listing: Listing) -> Listing:
        """What may be offered of a server's list, and what is held of it."""
        if not config.hold_changes:
            return listing
        if config.name not in self._approved:
            self._approved[config.name] = {tool.name: tool for tool in listing.tools}
            self._keep_soon(config.name)
        return screened(listing, self._approved[config.name], config)

    async def approve(self, held: Held, fingerprint: str, definition: str | None = None) -> None:
        """Approve a definition that waits. `definition` is the digest of the whole of it.

        Raises:
            Conflict: another definition waits by now than the one approved.
        """
        await self.close()  # what is kept last must be the newest
        if held.fingerprint != fingerprint or definition not in (None, held.definition):
            raise Conflict(
                f"{held.name} has changed again: the definition that waits has fingerprint "
                f"{held.fingerprint}; look at it before you approve it"
            )
        own = held.listed.model_copy(update={"name": held.own_name})
        approved = {**self._approved.get(held.server, {}), held.own_name: own}
        await self._keep(held.server, approved)
        self._approved[held.server] = approved
        logger.info(
            "tool %s of server %s was approved", held.name, held.server,
            extra={"event": "tool_approved", **held.named()},
        )  # fmt: skip

    async def forget(self, server: str) -> None:
        """A removed server's approvals; should it come back, its first list is trusted again."""
        if self._approved.pop(server, None) is not None and self._keeper is not None:
            await self._keeper.drop(_KIND, server)

    async def _keep(self, server: str, approved: Approved) -> None:
        if self._keeper is not None:
            values = {name: as_listed(tool) for name, tool in approved.items()}
            await self._keeper.keep(_KIND, {server: values})

    def _keep_soon(self, server: str) -> None:
        before, approved = self._writing, dict(self._approved[server])

        async def write() -> None:
            if before is not None:
                await asyncio.wait((before,))
            try:
                await self._keep(server, approved)
            except Exception:
                logger.exception("what server %s listed first could not be kept", server)

        if self._keeper is not None:
            self._writing = asyncio.create_task(write())


def find_held(held: Mapping[str, Held], name: str) -> Held:
    """The definition that waits under a name. Raises NotFound."""
    if name not in held:
        raise NotFound(f"nothing of tool {name!r} waits for an approval")
    return held[name]
