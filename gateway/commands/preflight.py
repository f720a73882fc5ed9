"""`drift --servers`: how far servers are from what adapters learned, without a gateway.

Connects to the servers of a configuration itself, lists them once and grades, as a gateway with
that configuration would. For a deployment pipeline: nothing is served, recorded or dispatched.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gateway.adapters.active import Active, drift_of
from gateway.commands.watching import watching
from gateway.config import AdapterConfig, Config, load_config
from gateway.drift import Drift
from gateway.drift_policy import DriftPolicy, DriftRules
from gateway.errors import BadRequest, UpstreamDown
from gateway.faces.drift import drift_as_dict
from gateway.manifest import Adapter, read_adapter
from gateway.toolsets.catalog import Catalog
from gateway.toolsets.upstream import Upstream
from gateway.types import Toolset


@dataclass(frozen=True, slots=True)
class Compared:
    """An adapter beside the live tools, and why each server that did not list its tools did not.

    Where there are such servers, `drift` is about the trained tools that some server lists alone.
    """

    adapter: Adapter
    live: Toolset
    drift: Drift
    policy: DriftPolicy
    unreachable: Mapping[str, str]

    @property
    def active(self) -> Active:
        """The adapter as if it served."""
        return Active(self.adapter, self.live.name, self.live, self.drift)

    def as_dict(self) -> dict[str, Any]:
        """The form of `/admin/drift`; `listed` is false while a server has not listed."""
        more = {"listed": not self.unreachable, "unreachable": dict(self.unreachable)}
        return drift_as_dict(self.active) | more


async def compared(servers: Path, folder: Path | None, wait_s: float) -> Sequence[Compared]:
    """Each adapter beside the live tools.

    `folder` is one adapter; without it, those that the configuration names. Its tools are those of
    the toolset it is for, if the configuration has one or a server of that name, and else those of
    all servers. A server that has not listed within `wait_s` seconds is unreachable.

    Raises:
        ConfigurationError: the file cannot be used.
        AdapterRefused: a folder is no adapter.
        BadRequest: there is no server, or no adapter.
    """
    config = load_config(servers)
    chosen = [folder] if folder else [item.folder for item in config.adapters]
    if not chosen:
        raise BadRequest(f"{servers} names no adapter; name one with --adapter")
    if not config.servers:
        raise BadRequest(f"{servers} names no servers")
    own = {item.folder.resolve(): item for item in config.adapters}
    adapters = [(read_adapter(item), own.get(item.resolve())) for item in chosen]
    async with watching(config) as watch:
        why = await asyncio.gather(*(_unlisted(u, wait_s) for u in watch.upstreams))
    unlisted = zip(watch.upstreams, why, strict=True)
    down = {upstream.name: reason for upstream, reason in unlisted if reason is not None}
    return [_beside(config, watch.catalog, down, *item) for item in adapters]


def _beside(
    config: Config,
    catalog: Catalog,
    down: Mapping[str, str],
    adapter: Adapter,
    configured: AdapterConfig | None,
) -> Compared:
    name = (configured.toolset if configured else None) or adapter.manifest.toolset
    every = tuple(server.name for server in config.servers)
    if name in every or name in (toolset.name for toolset in config.toolsets):
        servers = config.servers_of(name)
        live = catalog.toolsets.get(name, Toolset(name, ()))
    else:
        servers = every
        live = Toolset(name, tuple(entry.tool for entry in catalog.entries.values()))
    missing = {server: reason for server, reason in down.items() if server in servers}
    known = adapter
    if missing:  # what no server lists may be theirs
        kept = tuple(tool for tool in adapter.toolset.tools if tool.name in live.by_name)
        known = replace(adapter, toolset=Toolset(adapter.toolset.name, kept))
    policy = config.drift_rules.with_adapter(
        adapter.name, configured.drift if configured else DriftRules()
    )
    return Compared(adapter, live, drift_of(known, live.by_name), policy, missing)


async def _unlisted(upstream: Upstream, wait_s: float) -> str | None:
    """Why a server has not listed its tools; None if it has."""
    try:
        await upstream.first_listing(wait_s)
    except UpstreamDown as exc:
        return str(exc)
    return None
