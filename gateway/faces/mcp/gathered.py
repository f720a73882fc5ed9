"""Prompts, resources and completion of all servers at one address, as if they were one server.

With one server behind an address its answers pass as they are, pages and all. With several the
lists are gathered whole; the owner of a name or an address is looked up in the lists, and where
no list tells (a resource made from a template), each server is asked in turn, which is safe
because all of this only reads. Of two that claim one name the first in order has it.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS

from gateway.errors import PointsmanError, UnknownServer
from gateway.faces.mcp.calls import as_mcp
from gateway.toolsets.link import Link
from gateway.toolsets.upstream import Upstream
from gateway.toolsets.watch import Watch

logger = logging.getLogger(__name__)

LISTS = {
    "prompts/list": ("prompts", "name"),
    "resources/list": ("resources", "uri"),
    "resources/templates/list": ("resourceTemplates", "uriTemplate"),
}
"""Method -> the member of its result, and what its elements are known by."""
READS = {
    "prompts/get": ("prompts/list", "name"),
    "resources/read": ("resources/list", "uri"),
    "resources/subscribe": ("resources/list", "uri"),
    "resources/unsubscribe": ("resources/list", "uri"),
}
_MAX_PAGES = 1_000


class Gathered:
    """Answers for the servers that have prompts, resources or completion."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._told: set[tuple[str, str]] = set()

    async def listed(
        self, servers: Sequence[str], method: str, params: Mapping[str, Any]
    ) -> dict[str, Any]:
        """One list of all servers. Raises MCPError if the only server does not answer."""
        member, _ = LISTS[method]
        able = self._able(servers, method)
        if not able:
            return {member: []}
        if len(able) == 1:
            return await _asked(able[0], method, params)
        if params.get("cursor") is not None:
            raise MCPError(INVALID_PARAMS, "there is no such page")
        return {member: [item for _, item in await self._all(able, method)]}

    async def read(
        self, servers: Sequence[str], method: str, params: Mapping[str, Any]
    ) -> dict[str, Any]:
        """What the owner of a prompt or resource answers. Raises MCPError."""
        listing, key = READS[method]
        return await self._first(servers, method, params, listing, str(params.get(key)))

    async def complete(self, servers: Sequence[str], params: Mapping[str, Any]) -> dict[str, Any]:
        """Completion of an argument, by the server whose prompt or template it belongs to."""
        ref = params.get("ref") or {}
        is_prompt = ref.get("type") == "ref/prompt"
        listing = "prompts/list" if is_prompt else "resources/templates/list"
        name = str(ref.get("name" if is_prompt else "uri"))
        return await self._first(servers, "completion/complete", params, listing, name)

    async def _first(
        self,
        servers: Sequence[str],
        method: str,
        params: Mapping[str, Any],
        listing: str,
        name: str,
    ) -> dict[str, Any]:
        able = self._able(servers, method)
        if not able:
            raise MCPError(INVALID_PARAMS, f"nobody here has {name!r}")
        if len(able) > 1:
            lister = self._able([upstream.name for upstream in able], listing)
            _, key = LISTS[listing]
            owners = [up for up, item in await self._all(lister, listing) if item.get(key) == name]
            able = owners[:1] or able
        refused = MCPError(INTERNAL_ERROR, f"no server answers for {name!r}")
        for upstream in able:
            try:
                return await _asked(upstream, method, params)
            except MCPError as exc:
                refused = exc
        raise refused

    async def _all(
        self, able: Sequence[Upstream], method: str
    ) -> list[tuple[Upstream, dict[str, Any]]]:
        """Every element with its owner; who does not answer is left out, and the log says so."""
        member, key = LISTS[method]
        pages = await asyncio.gather(*(_pages(up, method, member) for up in able))
        found: dict[str, tuple[Upstream, dict[str, Any]]] = {}
        for upstream, items in zip(able, pages, strict=True):
            for item in items:
                name = str(item.get(key))
                if name not in found:
                    found[name] = (upstream, item)
                elif found[name][0] is not upstream:
                    self._tell_collision(upstream.name, name, found[name][0].name)
        return list(found.values())

    def _tell_collision(self, server: str, name: str, owner: str) -> None:
        if (server, name) not in self._told and len(self._told) < 10_000:
            self._told.add((server, name))
            logger.warning(
                "%r of server %s is left out: %s has one too", name, server, owner,
                extra={"event": "name_collision", "server": server, "name_": name},
            )  # fmt: skip

    def _able(self, servers: Sequence[str], method: str) -> list[Upstream]:
        found: list[Upstream] = []
        for name in servers:
            try:
                upstream = self._watch.upstream(name)
            except UnknownServer:
                continue  # removed a moment ago
            if upstream.link is not None and _can(upstream.link, method):
                found.append(upstream)
        return found


def _can(link: Link, method: str) -> bool:
    offers = link.offers
    if method.startswith("prompts/"):
        return offers.prompts is not None
    if method.startswith("resources/"):
        return offers.resources is not None
    return offers.completions is not None


async def _asked(upstream: Upstream, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return await upstream.request(method, params)
    except PointsmanError as exc:
        raise as_mcp(exc) from exc


async def _pages(upstream: Upstream, method: str, member: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    try:
        for _ in range(_MAX_PAGES):
            page = await upstream.request(method, {"cursor": cursor} if cursor else {})
            found += [item for item in page.get(member) or () if isinstance(item, dict)]
            following = page.get("nextCursor")
            if not following or following == cursor:
                break
            cursor = following
    except PointsmanError as exc:
        logger.warning("%s of server %s is left out: %s", method, upstream.name, exc)
    return found
