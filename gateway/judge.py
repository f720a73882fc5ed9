"""The steps between a route and a reply that need no server: check every call, then decide.

Stands above the alias table and the catalog, which say what is live; the pipeline and the shadow
judge with it alike. Dispatches nothing.
"""

from collections.abc import Sequence

from gateway.adapters.active import Active, ActiveAdapters
from gateway.agent_tools import AgentTools
from gateway.decide import CallCheck, Decision, decide
from gateway.exchange import RouteRequest
from gateway.grounding.ground import ungrounded
from gateway.toolsets.watch import Watch
from gateway.types import Call, Route


class Judge:
    """Judges the route of a request. `agent` are the agent's own tools, None if it has none."""

    def __init__(self, active: ActiveAdapters, watch: Watch) -> None:
        self._active = active
        self._watch = watch

    def checks(
        self, route: Route, request: RouteRequest, active: Active, agent: AgentTools | None
    ) -> list[CallCheck]:
        """Validate and ground each proposed call."""
        return [self._check(call, request, active, agent) for call in route.calls]

    def decision(
        self, route: Route, checks: Sequence[CallCheck], request: RouteRequest, active: Active
    ) -> Decision:
        """What becomes of the route, by the request's threshold or else the manifest's."""
        threshold = request.threshold
        if threshold is None:
            threshold = active.adapter.manifest.calibration.threshold
        return decide(route, checks, threshold, self._active.withheld(active))

    def _check(
        self, call: Call, request: RouteRequest, active: Active, agent: AgentTools | None
    ) -> CallCheck:
        shown = (agent or active).asked.toolset.by_name.get(call.tool)
        entry = self._watch.catalog.entries.get(call.tool)
        live = active.live.by_name.get(call.tool) if active.live else None
        if agent is not None:
            tool, errors = agent.by_name.get(call.tool), agent.errors(call)
        else:
            tool = live
            errors = entry.validator.errors(call.arguments) if entry and live else None
        known = tool or shown
        return CallCheck(
            call=call,
            # A tool the adapter never saw is never called by it, whoever offers it.
            schema=errors if shown else None,
            grounding=ungrounded(call, known, request.messages) if known else (),
            drift=active.drift.grade_of(call.tool) if agent is None else "none",
            allowed=agent is None or call.tool in agent.by_name,
            held=agent is None and entry is not None and entry.held is not None,
        )
