"""What a name in the alias table stands for, and what it gives one request.

Values only; `active.py` keeps the table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from mcp.types import Tool

from gateway.adapters.trial import Role, Trial
from gateway.drift import NO_DRIFT, Drift, compare
from gateway.manifest import Adapter
from gateway.types import Toolset

_MAX_HEADER_TOOLS = 10


@dataclass(frozen=True)
class Active:
    """An adapter in service. `live` is None until every server of its toolset has listed once.

    `stands_in_for` is the drifted one that was asked for, where this one answers instead of it.
    """

    adapter: Adapter
    toolset: str
    live: Toolset | None = None
    drift: Drift = NO_DRIFT
    stands_in_for: "Active | None" = None

    @cached_property
    def asked(self) -> Adapter:
        """The adapter as it is asked about the live tools."""
        return self.adapter.offering(self.live)

    @property
    def drift_header(self) -> str | None:
        """The value of `X-Pointsman-Drift`, None if there is no drift."""
        if self.stands_in_for is not None:
            return self.stands_in_for.drift_header
        if self.drift.worst == "none":
            return None
        tools = ",".join(self.drift.names[:_MAX_HEADER_TOOLS])
        return f"{self.drift.worst}; adapter={self.adapter.name}; tools={tools}"


@dataclass(frozen=True, slots=True)
class Entry:
    """What a name stands for: the version in service, and the one on trial beside it."""

    active: Active
    trial: Trial | None = None
    tried: Active | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """The version that answers one request, and the trial that its answer counts for.

    `shadow` is asked too, unless None. A request that names a version takes part in no trial.
    """

    active: Active
    role: Role = "service"
    trial: Trial | None = None
    shadow: Active | None = None


def drift_of(adapter: Adapter, live: Mapping[str, Tool]) -> Drift:
    """How far live tools are from what an adapter learned; a `varied` one learned no toolset."""
    if adapter.manifest.toolset_mode == "varied":
        return NO_DRIFT
    return compare(adapter.toolset, live)
