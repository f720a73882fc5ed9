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
from collections.abc import Callable, Mapping
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

    async def amend(self, kind: str, name: str, change: Callable[[Any], Any]) -> Any: ...

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

    async def follow(self) -> bool:
        """Take over the approvals of earlier runs, and of other gateways over the same records.

        Returns whether that changed any. What is not kept stays as it is: it may be about to be,
        and to trust the next list instead would let anything in.
        """
        kept = await self._keeper.kept(_KIND) if self._keeper else {}
        found = {server: _approved(server, tools) for server, tools in kept.items()}
        changed = any(self._approved.get(server) != tools for server, tools in found.items())
        self._approved |= found
        return changed

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
        own_copy = _as_kept(self._approved.get(held.server, {}))

        def approved(kept: Any) -> Any:
            # What another gateway approved meanwhile counts too.
            return {**(own_copy if kept is None else kept), held.own_name: as_listed(own)}

        kept = approved(None)
        if self._keeper is not None:
            kept = await self._keeper.amend(_KIND, held.server, approved)
        self._approved[held.server] = _approved(held.server, kept)
        logger.info(
            "tool %s of server %s was approved", held.name, held.server,
            extra={"event": "tool_approved", **held.named()},
        )  # fmt: skip

    async def forget(self, server: str) -> None:
        """A removed server's approvals; should it come back, its first list is trusted again."""
        if server in self._approved and self._keeper is not None:
            await self._keeper.drop(_KIND, server)
        self.release(server)

    def release(self, server: str) -> None:
        """Leave the approvals of a server to the other gateways that share them."""
        self._approved.pop(server, None)

    def _keep_soon(self, server: str) -> None:
        """Keep what was trusted, unless another gateway trusted a list first; `follow` takes that
        one over."""
        keeper, before = self._keeper, self._writing
        trusted = _as_kept(self._approved[server])

        async def write(keeper: Keeper) -> None:
            if before is not None:
                await asyncio.wait((before,))
            try:
                await keeper.amend(_KIND, server, lambda kept: trusted if kept is None else kept)
            except Exception:
                logger.exception("what server %s listed first could not be kept", server)

        if keeper is not None:
            self._writing = asyncio.create_task(write(keeper))


def _as_kept(approved: Approved) -> dict[str, Any]:
    return {name: as_listed(tool) for name, tool in approved.items()}


def _approved(server: str, kept: Mapping[str, Any]) -> dict[str, Tool]:
    try:
        return {name: Tool.model_validate(tool) for name, tool in kept.items()}
    except ValidationError as exc:
        # None at all: trusting the next list instead would let anything in.
        logger.error("server %s: approvals cannot be read: %s problems", server, exc.error_count())
        return {}


def find_held(held: Mapping[str, Held], name: str) -> Held:
    """The definition that waits under a name. Raises NotFound."""
    if name not in held:
        raise NotFound(f"nothing of tool {name!r} waits for an approval")
    return held[name]
