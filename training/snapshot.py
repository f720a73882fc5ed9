"""Snapshots: the toolset as it is live now, from a gateway or straight from the servers.

What a snapshot holds is what rows are made for and what an adapter is trained on, by content.
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from gateway.config import load_config
from gateway.toolsets.watch import Watch
from gateway.types import Toolset

_LISTING_S = 30.0


def select(
    listed: Mapping[str, Any],
    *,
    toolset: str | None = None,
    servers: Sequence[str] = (),
    tools: Sequence[str] = (),
    name: str | None = None,
) -> Toolset:
    """A toolset of what `GET /v1/tools` lists, in the order of the list.

    `toolset` takes a configured one, `servers` the tools of these servers; without either all
    live tools are taken. `tools` narrows the choice. The name is `name`, or that of the toolset,
    or of the only server.

    Raises:
        ValueError: a toolset, server or tool is not live, or the name is not clear.
    """
    live = cast(list[Mapping[str, Any]], listed["tools"])
    configured = {t["name"]: t["tools"] for t in cast(list[Mapping[str, Any]], listed["toolsets"])}
    if toolset is not None and toolset not in configured:
        raise ValueError(f"no toolset {toolset!r} is live; there are {_names(configured)}")
    _refuse_unknown("server", servers, {tool["server"] for tool in live})
    _refuse_unknown("tool", tools, {tool["name"] for tool in live})
    chosen = [
        tool
        for tool in live
        if (toolset is None or tool["name"] in configured[toolset])
        and (not servers or tool["server"] in servers)
        and (not tools or tool["name"] in tools)
    ]
    if not chosen:
        raise ValueError("no live tool is in that selection")
    owners = {tool["server"] for tool in chosen}
    called = name or toolset or (owners.pop() if len(owners) == 1 else None)
    if called is None:
        raise ValueError(f"tools of several servers ({_names(owners)}): give the toolset a --name")
    bare = [{key: value for key, value in tool.items() if key != "server"} for tool in chosen]
    return Toolset.from_json({"name": called, "tools": bare})


async def list_live(config_file: Path) -> Mapping[str, Any]:
    """Start the servers of a configuration and list their tools, as `GET /v1/tools` would.

    Raises:
        ConfigurationError: the file is broken.
        UpstreamDown: a server cannot be reached or lists nothing.
    """
    config = load_config(config_file)
    watch = Watch(config.servers, config.toolsets)
    watch.start()
    try:
        await asyncio.gather(*(u.first_listing(_LISTING_S) for u in watch.upstreams))
        return watch.catalog.to_json()
    finally:
        await watch.close()


def _refuse_unknown(what: str, wanted: Sequence[str], live: set[str]) -> None:
    unknown = [name for name in wanted if name not in live]
    if unknown:
        raise ValueError(f"no {what} {_names(unknown)} is live; there are {_names(live)}")


def _names(names: Sequence[str] | set[str] | Mapping[str, Any]) -> str:
    return ", ".join(sorted(names)) or "none"
