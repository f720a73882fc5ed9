"""Which adapter versions are in service, for which toolset, and how far the live tools drifted.

Drift is graded whenever the catalog or the set of adapters changes, never on a request's path.
Each (adapter, live fingerprint) is warned of once.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from mcp.types import Tool

from gateway.drift import GRADES, MASKED, NO_DRIFT, Drift, compare
from gateway.errors import UnknownModel
from gateway.manifest import Adapter
from gateway.observe import Metrics
from gateway.toolsets.catalog import Catalog
from gateway.types import Toolset

logger = logging.getLogger(__name__)

DriftPolicy = Literal["mask", "warn", "block"]
_QUIET_GRADES = ("none", "notation")
_MAX_HEADER_TOOLS = 10


@dataclass(frozen=True)
class Active:
    """An adapter in service. `live` is None until every server of its toolset has listed once."""

    adapter: Adapter
    toolset: str
    live: Toolset | None = None
    drift: Drift = NO_DRIFT

    @cached_property
    def asked(self) -> Adapter:
        """The adapter as it is asked about the live tools."""
        return self.adapter.offering(self.live)

    @property
    def drift_header(self) -> str | None:
        """The value of `X-Pointsman-Drift`, None if there is no drift."""
        if self.drift.worst == "none":
            return None
        tools = ",".join(self.drift.names[:_MAX_HEADER_TOOLS])
        return f"{self.drift.worst}; adapter={self.adapter.name}; tools={tools}"


def drift_of(adapter: Adapter, live: Mapping[str, Tool]) -> Drift:
    """How far live tools are from what an adapter learned; a `varied` one learned no toolset."""
    if adapter.manifest.toolset_mode == "varied":
        return NO_DRIFT
    return compare(adapter.toolset, live)


class ActiveAdapters:
    """The alias table: names -> versions in service. Swaps are one assignment."""

    def __init__(
        self, policy: DriftPolicy, metrics: Metrics, is_listed: Callable[[str], bool]
    ) -> None:
        """`is_listed` tells whether every server of a toolset has listed its tools once."""
        self._policy: DriftPolicy = policy
        self._metrics = metrics
        self._is_listed = is_listed
        self._table: dict[str, Active] = {}
        self._catalog = Catalog()
        self._warned: set[tuple[str, str]] = set()

    @property
    def all(self) -> Sequence[Active]:
        """Every adapter in service, in the order of activation."""
        return tuple(self._table.values())

    @property
    def policy(self) -> DriftPolicy:
        """What is done about a tool that drifted in a breaking way."""
        return self._policy

    def resolve(self, model: str | None) -> Active:
        """The adapter of a name, a version, a toolset, or `auto` for the first in service.

        Raises:
            UnknownModel: nothing in service has the name.
        """
        if model in (None, "", "auto") and self._table:
            return next(iter(self._table.values()))
        for active in self._table.values():
            if model in (active.adapter.name, active.adapter.version, active.toolset):
                return active
        known = ", ".join(a.adapter.name for a in self._table.values()) or "none"
        raise UnknownModel(f"no adapter {model or 'auto'!r} is in service; in service: {known}")

    def get(self, name: str) -> Active | None:
        """The entry of an adapter's name."""
        return self._table.get(name)

    def put(self, adapter: Adapter, toolset: str) -> Active:
        """Bring a version into service under its name, in place of any other version."""
        active = self._graded(Active(adapter, toolset))
        before = self._table.get(adapter.name)
        self._table = {**self._table, adapter.name: active}
        if before is not None and before.adapter.version != adapter.version:
            self._forget_grade(before)
        return active

    def on_catalog(self, catalog: Catalog) -> None:
        """Grade every adapter in service against a new catalog."""
        self._catalog = catalog
        self._table = {
            name: self._graded(Active(active.adapter, active.toolset))
            for name, active in self._table.items()
        }

    def drift_to(self, adapter: Adapter, toolset: str) -> Drift | None:
        """Drift that an adapter would have on the live toolset; None if it has not been listed."""
        live = self._catalog.toolsets.get(toolset)
        if live is None or not self._is_listed(toolset):
            return None
        return drift_of(adapter, live.by_name)

    def _graded(self, active: Active) -> Active:
        drift = self.drift_to(active.adapter, active.toolset)
        if drift is None:
            return active
        live = self._catalog.toolsets[active.toolset]
        graded = replace(active, live=live, drift=drift)
        self._tell(graded, live)
        return graded

    def _forget_grade(self, active: Active) -> None:
        with suppress(KeyError):  # never graded
            self._metrics.drift.remove(active.adapter.version)

    def _tell(self, active: Active, live: Toolset) -> None:
        version, drift = active.adapter.version, active.drift
        self._metrics.drift.labels(version).set(GRADES.index(drift.worst))
        if drift.worst == "none" or (version, live.fingerprint) in self._warned:
            return
        self._warned.add((version, live.fingerprint))
        level = logging.INFO if drift.worst in _QUIET_GRADES else logging.WARNING
        masked = (
            [t.tool for t in drift.tools if t.grade in MASKED] if self._policy != "warn" else []
        )
        summary = ", ".join(
            f"{item.tool} {item.grade}" + (f" to {item.renamed_to}" if item.renamed_to else "")
            for item in drift.tools
        )
        logger.log(
            level,
            "toolset %s has drifted from what adapter %s was trained on: %s%s",
            active.toolset, version, summary,
            f"; withheld: {', '.join(masked)}" if masked else "",
            extra={
                "event": "toolset_drift",
                "adapter": version,
                "toolset": active.toolset,
                "grade": drift.worst,
                "trained_fingerprint": active.adapter.toolset.fingerprint,
                "live_fingerprint": live.fingerprint,
                "tools": [item.as_dict() for item in drift.tools],
                "action": self._policy,
                "masked": masked,
            },
        )  # fmt: skip
