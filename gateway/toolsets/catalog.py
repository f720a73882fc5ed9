"""One immutable snapshot of everything live: tool name -> owner, tool, validator; and the toolsets.

Built whole by a pure function from every upstream's last good list, then swapped in one
assignment. A tool keeps its server's name with the server's prefix before it; the owner of a name
is looked up here and never parsed out of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mcp.types import Tool

from gateway.config import ServerConfig, ToolsetConfig
from gateway.fingerprint import tool_fingerprint
from gateway.toolsets.flags import Finding, findings
from gateway.toolsets.held import Held
from gateway.toolsets.listing import Listing
from gateway.types import RESERVED_NAMES, Toolset
from gateway.validate import SchemaError, ToolValidator


@dataclass(frozen=True, slots=True)
class Entry:
    """A live tool. `tool` carries the name agents see, `own_name` the one its server knows."""

    server: str
    own_name: str
    tool: Tool
    fingerprint: str
    validator: ToolValidator
    held: Held | None = None
    """The changed definition that waits for an approval; `tool` is the approved one until then."""
    flags: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A listed tool that is not offered, and why."""

    server: str
    tool: str
    reason: str


@dataclass(frozen=True)
class Catalog:
    """The snapshot. Entries stand in the order of servers and of their lists."""

    entries: Mapping[str, Entry] = field(default_factory=dict[str, Entry])
    toolsets: Mapping[str, Toolset] = field(default_factory=dict[str, Toolset])
    left_out: tuple[LeftOut, ...] = ()
    held: Mapping[str, Held] = field(default_factory=dict[str, Held])

    def to_json(self) -> dict[str, Any]:
        """The body of `GET /v1/tools`."""
        tools = [
            {
                **entry.tool.model_dump(by_alias=True, mode="json", exclude_none=True),
                "server": entry.server,
                "fingerprint": entry.fingerprint,
                "flags": [finding.as_dict() for finding in entry.flags],
            }
            for entry in self.entries.values()
        ]
        toolsets = [
            {"name": t.name, "fingerprint": t.fingerprint, "tools": list(t.by_name)}
            for t in self.toolsets.values()
        ]
        left_out = [
            {"server": item.server, "tool": item.tool, "reason": item.reason}
            for item in self.left_out
        ]
        # Without their texts: whoever reads this list must not be told what nobody approved.
        held = [item.named() for item in self.held.values()]
        return {"tools": tools, "toolsets": toolsets, "left_out": left_out, "held": held}


def build_catalog(
    listings: Sequence[tuple[ServerConfig, Listing]],
    toolsets: Iterable[ToolsetConfig],
    previous: Catalog | None = None,
) -> Catalog:
    """A new snapshot. Validators of tools that did not change are taken over from `previous`.

    Every server is a toolset of its own name, unless one is configured under that name.
    On a name collision the server that has the name keeps it as long as it lists it, so that no
    other can slip a tool in under a known name; between newcomers the first one gets it.
    Registration refuses what would collide, so this happens only when a list grows later.
    """
    holders = _holders(listings, previous)
    entries: dict[str, Entry] = {}
    left_out: list[LeftOut] = []
    held: dict[str, Held] = {}
    for config, listing in listings:
        waiting = {item.own_name: item for item in listing.held}
        left_out += [LeftOut(config.name, name, reason) for name, reason in listing.left_out]
        for tool in listing.tools:
            name = config.prefix + tool.name
            if name in RESERVED_NAMES:
                reason = f"{name!r} is a reserved name; set a prefix for server {config.name}"
            elif holders.setdefault(name, config.name) != config.name:
                reason = collision(name, holders[name], config.name)
            else:
                made = _entry(config, tool, name, previous)
                if isinstance(made, Entry):
                    entries[name] = replace(made, held=waiting.get(tool.name))
                    continue
                reason = made
            left_out.append(LeftOut(config.name, name, reason))
        for item in listing.held:
            # Another server's tool of that name is live, or hides it: no call of it is refused.
            if holders.get(item.name, config.name) == config.name:
                held.setdefault(item.name, item)
    live = tuple(entries.values())
    own = {c.name: _toolset(c.name, (c.name,), None, live) for c, _ in listings}
    chosen = {t.name: _toolset(t.name, t.servers, t.tools, live) for t in toolsets}
    return Catalog(entries, own | chosen, tuple(left_out), held)


def _holders(
    listings: Sequence[tuple[ServerConfig, Listing]], previous: Catalog | None
) -> dict[str, str]:
    """Tool name -> the server that had it before and lists it still."""
    listed = {(config.name, config.prefix + t.name) for config, lst in listings for t in lst.tools}
    before = previous.entries.values() if previous else ()
    return {e.tool.name: e.server for e in before if (e.server, e.tool.name) in listed}


def collisions(catalog: Catalog, config: ServerConfig, listing: Listing) -> list[str]:
    """What registering a server would collide with; each line says which prefix to set."""
    found: list[str] = []
    for tool in listing.tools:
        name = config.prefix + tool.name
        owner = catalog.entries.get(name)
        if owner is not None and owner.server != config.name:
            found.append(collision(name, owner.server, config.name))
    return found


def collision(name: str, owner: str, newcomer: str) -> str:
    """The words for a name that two servers claim."""
    return (
        f"tool {name!r} of server {newcomer} is already offered by {owner}; "
        f'set a prefix for {newcomer}, for example "{newcomer}_"'
    )


def _entry(config: ServerConfig, tool: Tool, name: str, previous: Catalog | None) -> Entry | str:
    seen = tool.model_copy(update={"name": name}) if config.prefix else tool
    fingerprint = tool_fingerprint(seen)
    before = previous.entries.get(name) if previous else None
    flags = before.flags if before is not None and before.tool == seen else findings(seen)
    if before is not None and before.fingerprint == fingerprint:
        return Entry(config.name, tool.name, seen, fingerprint, before.validator, flags=flags)
    try:
        return Entry(config.name, tool.name, seen, fingerprint, ToolValidator(seen), flags=flags)
    except SchemaError as exc:
        return str(exc)


def _toolset(
    name: str, servers: Sequence[str], tools: Sequence[str] | None, entries: Sequence[Entry]
) -> Toolset:
    live = [entry for entry in entries if entry.server in servers]
    if tools is not None:
        by_name = {entry.tool.name: entry for entry in live}
        live = [by_name[tool] for tool in tools if tool in by_name]
    return Toolset(name, tuple(entry.tool for entry in live))
