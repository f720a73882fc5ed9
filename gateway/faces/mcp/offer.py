"""What one address of the MCP face offers: a toolset's tools, the tool `route`, or both.

An address is `/mcp` (everything) or `/mcp/{toolset}`; `?tools=route` leaves `route` alone, so
that an agent carries one tool instead of fifty, and `?tools=direct` leaves it out. Lists are
rendered once per catalog, as the dictionaries and the bytes of the wire: rendering a thousand
tools costs more than sending them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, cast, get_args

from mcp.types import SERVER_INFO_META_KEY, Tool, ToolAnnotations

from gateway.errors import BadRequest, NotFound
from gateway.faces.parts import Parts
from gateway.toolsets.catalog import Catalog

View = Literal["all", "direct", "route"]

SERVER_INFO = {"name": "pointsman", "title": "Pointsman", "version": "1"}
ROUTE = Tool(
    name="route",
    title="Do what is asked",
    description=(
        "Give one request in plain words, with every identifier, name and value that it needs. "
        "The fitting tool is chosen, its arguments are filled in and checked, the call is made, "
        "and its result comes back. If nothing fits or something is missing, nothing is called "
        "and the reason comes back."
    ),
    input_schema={
        "type": "object",
        "properties": {
            "request": {
                "type": "string",
                "minLength": 1,
                "description": "What is to be done, in plain words.",
            }
        },
        "required": ["request"],
        "additionalProperties": False,
    },
    # It may call any tool there is, so it is what the worst of them is.
    annotations=ToolAnnotations(
        read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=True
    ),
)


@dataclass(frozen=True)
class Address:
    """What an agent's URL names. `toolset` is None for everything."""

    toolset: str | None = None
    view: View = "all"

    @classmethod
    def of(cls, toolset: str | None, view: str) -> "Address":
        """Read an address. Raises BadRequest for an unknown view."""
        if view not in get_args(View):
            raise BadRequest(f"tools={view!r}: it is all, direct or route")
        return cls(toolset, cast(View, view))


@dataclass(frozen=True)
class Offer:
    """What stands at an address now."""

    servers: tuple[str, ...]
    tools: Mapping[str, Tool]

    @property
    def routes(self) -> bool:
        """Whether `route` is offered."""
        return ROUTE.name in self.tools

    @cached_property
    def listed(self) -> Mapping[str, Any]:
        """The result of `tools/list` in the handshake era."""
        return {
            "tools": [
                tool.model_dump(by_alias=True, mode="json", exclude_none=True)
                for tool in self.tools.values()
            ]
        }

    @cached_property
    def listed_modern(self) -> Mapping[str, Any]:
        """The same for the 2026-07-28 revision, whose results carry more."""
        return {
            **self.listed,
            "resultType": "complete",
            "ttlMs": 0,
            "cacheScope": "private",
            "_meta": {SERVER_INFO_META_KEY: dict(SERVER_INFO)},
        }

    @cached_property
    def listed_bytes(self) -> bytes:
        """`listed_modern` as JSON."""
        return json.dumps(self.listed_modern, separators=(",", ":")).encode()


class Offers:
    """Finds the offer of an address, from the live catalog."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._servers_of = {t.name: t.servers for t in parts.config.toolsets}
        self._made: dict[tuple[Address, bool], Offer] = {}
        self._made_of: Catalog | None = None

    def get(self, address: Address) -> Offer:
        """The offer of an address. Raises NotFound if there is no such toolset."""
        catalog = self._parts.watch.catalog
        if catalog is not self._made_of:
            self._made, self._made_of = {}, catalog
        key = (address, self._routes(address))
        if key not in self._made:
            # Checked before it is kept, so that made-up names take no memory.
            self._made[key] = self._make(catalog, *key)
        return self._made[key]

    def _make(self, catalog: Catalog, address: Address, routes: bool) -> Offer:
        names = self._servers(catalog, address.toolset)
        tools: Sequence[Tool] = ()
        if address.view != "route":
            chosen = catalog.toolsets.get(address.toolset) if address.toolset else None
            if chosen is not None:
                tools = chosen.tools
            elif address.toolset is None:
                tools = tuple(entry.tool for entry in catalog.entries.values())
        offered = {tool.name: tool for tool in tools}
        return Offer(names, {**offered, ROUTE.name: ROUTE} if routes else offered)

    def _servers(self, catalog: Catalog, toolset: str | None) -> tuple[str, ...]:
        known = tuple(upstream.name for upstream in self._parts.watch.upstreams)
        if toolset is None:
            return known
        if toolset in self._servers_of:
            return tuple(name for name in self._servers_of[toolset] if name in known)
        if toolset in known:
            return (toolset,)
        raise NotFound(f"there is no toolset {toolset!r}")

    def _routes(self, address: Address) -> bool:
        if address.view != "all":
            return address.view == "route"
        in_service = self._parts.active.all
        return any(address.toolset in (None, active.toolset) for active in in_service)
