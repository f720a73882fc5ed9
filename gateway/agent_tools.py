"""Tools that an agent sends with its request, instead of those the gateway knows.

They are compiled and compared with the trained toolset once per (adapter, content), in a bounded
cache. Their drift is told in header and metric and masks nothing: the agent's schemas count. An
adapter trained on varied tools is shown them; there is no drift then.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

from mcp.types import Tool

from gateway.adapters.active import Active, drift_of
from gateway.drift import Drift
from gateway.fingerprint import content_key
from gateway.manifest import Adapter
from gateway.observe import Metrics
from gateway.types import Call, Toolset
from gateway.validate import ArgumentError, SchemaError, ToolValidator

_KEPT = 256


class AgentTools:
    """One agent's tools. One whose schema cannot be compiled is never called."""

    def __init__(self, toolset: Toolset, adapter: Adapter) -> None:
        self.by_name = toolset.by_name
        self.fingerprint = toolset.fingerprint
        trained = replace(adapter, toolset=_unhinted(adapter.toolset))
        self.drift: Drift = drift_of(trained, _unhinted(toolset).by_name)
        self._validators: dict[str, ToolValidator | SchemaError] = {}
        for tool in toolset.tools:
            try:
                self._validators[tool.name] = ToolValidator(tool)
            except SchemaError as exc:
                self._validators[tool.name] = exc
        usable = [t for t in toolset.tools if isinstance(self._validators[t.name], ToolValidator)]
        self.asked = adapter.offering(Toolset(toolset.name, tuple(usable)))
        """The adapter as it is asked about these tools."""

    def errors(self, call: Call) -> Sequence[ArgumentError] | None:
        """Violations of the agent's own schema; None for a tool it did not send."""
        validator = self._validators.get(call.tool)
        if isinstance(validator, SchemaError):
            return [ArgumentError("", str(validator))]
        return validator.errors(call.arguments) if validator else None

    def header(self, active: Active) -> str | None:
        """`X-Pointsman-Drift` for the agent's own tools."""
        return Active(active.adapter, active.toolset, drift=self.drift).drift_header


class AgentToolsets:
    """The cache."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._kept: OrderedDict[tuple[str, bytes], AgentTools] = OrderedDict()

    def compiled(self, tools: tuple[Tool, ...] | None, active: Active) -> AgentTools | None:
        """The agent's tools, ready to check with; None if it sent none."""
        if tools is None:
            return None
        key = (active.adapter.version, content_key(tools))
        if key not in self._kept:
            self._kept[key] = AgentTools(Toolset("agent", tools), active.adapter)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        agent = self._kept[key]
        if agent.drift.worst != "none":
            self._metrics.agent_drift.labels(active.adapter.version, agent.drift.worst).inc()
        return agent


def _unhinted(toolset: Toolset) -> Toolset:
    """Without titles and annotations: no chat API carries them, so their absence is no drift."""
    bare = {"title": None, "annotations": None}
    return Toolset(toolset.name, tuple(tool.model_copy(update=bare) for tool in toolset.tools))
