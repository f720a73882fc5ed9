"""The request flow: route -> validate -> ground -> decide -> dispatch -> reply.

`Pipeline.handle` names the steps; each is a pure function or a small object of its own module.
Faces stand above and translate protocols; engine, catalog and records stand below.
"""

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mcp.types import CallToolResult, Tool

from gateway.adapters.active import Active, ActiveAdapters
from gateway.agent_tools import AgentTools, AgentToolsets
from gateway.decide import CallCheck, Decision, checks_as_dict, decide
from gateway.dispatch import Dispatcher
from gateway.drift import MASKED, DriftGrade
from gateway.errors import BadRequest, EngineDown, PointsmanError, UpstreamDown
from gateway.ground import ungrounded
from gateway.observe import Metrics
from gateway.records import Records
from gateway.router import Router
from gateway.toolsets.watch import Watch
from gateway.types import Call, Message, Route


@dataclass(frozen=True)
class RouteRequest:
    """One request to route. `tools` are the agent's own, None if it brought none."""

    messages: tuple[Message, ...]
    face: str
    model: str | None = None
    dispatch: bool = False
    threshold: float | None = None
    tools: tuple[Tool, ...] | None = None


@dataclass(frozen=True)
class Reply:
    """Everything that a face needs for its answer."""

    id: str
    model: str
    decision: Decision
    checks: Sequence[CallCheck]
    route: Route
    results: Sequence[CallToolResult] | None
    drift_header: str | None
    timings_ms: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """The body of `POST /v1/route`."""
        decision = self.decision
        calls = [call.as_dict() for call in decision.calls]
        proposal = decision.proposal
        return {
            "id": self.id,
            "outcome": decision.outcome,
            "calls": calls,
            "call": calls[0] if len(calls) == 1 else None,
            "proposal": [call.as_dict() for call in proposal] if proposal else None,
            "reason": decision.reason,
            "reason_code": decision.reason_code,
            "confidence": round(self.route.confidence, 4)
            if self.route.confidence is not None
            else None,
            "model": self.model,
            "checks": checks_as_dict(self.checks),
            "results": results_as_json(self.results),
            "usage": {
                "prompt_tokens": self.route.usage.prompt_tokens,
                "completion_tokens": self.route.usage.completion_tokens,
            },
            "timings_ms": dict(self.timings_ms),
        }


@dataclass
class _Clock:
    """Milliseconds per step."""

    started: float = field(default_factory=time.perf_counter)
    steps: dict[str, float] = field(
        default_factory=lambda: {"route": 0.0, "validate": 0.0, "dispatch": 0.0}
    )

    def lap(self, step: str, since: float) -> float:
        now = time.perf_counter()
        self.steps[step] = round((now - since) * 1000, 3)
        return now

    def done(self) -> dict[str, float]:
        return {**self.steps, "total": round((time.perf_counter() - self.started) * 1000, 3)}


class Pipeline:
    """Handles requests; one object serves all faces."""

    def __init__(
        self,
        router: Router,
        active: ActiveAdapters,
        watch: Watch,
        dispatcher: Dispatcher,
        records: Records,
        metrics: Metrics,
    ) -> None:
        self._router = router
        self._active = active
        self._watch = watch
        self._dispatcher = dispatcher
        self._records = records
        self._metrics = metrics
        self._agent_toolsets = AgentToolsets(metrics)

    async def handle(self, request: RouteRequest) -> Reply:
        """Route one request, and dispatch its calls if it asks for that.

        Raises:
            BadRequest: the conversation holds text that is not valid Unicode.
            UnknownModel, ConversationTooLong, EngineDown: as the router.
            UpstreamDown: the toolset's servers have not been reached yet, or dispatch failed.
            UpstreamTimeout: a dispatched call was not answered in time.
        """
        clock = _Clock()
        _check_text(request.messages)
        active = self._resolve(request)
        agent = self._agent_toolsets.compiled(request.tools, active)
        route = await self._router.route(request.messages, (agent or active).asked)
        routed = clock.lap("route", clock.started)
        checks = [self._check(call, request, active, agent) for call in route.calls]
        decision = decide(route, checks, self._threshold(request, active), self._masked())
        checked = clock.lap("validate", routed)
        results: Sequence[CallToolResult] | None = None
        failure: PointsmanError | None = None
        if request.dispatch and decision.outcome == "call":
            try:
                results = await self._dispatcher.dispatch(decision.calls)
            except PointsmanError as exc:
                failure = exc
            clock.lap("dispatch", checked)
        reply = Reply(
            id=f"route_{uuid.uuid4().hex}",
            model=active.adapter.version,
            decision=decision,
            checks=checks,
            route=route,
            results=results,
            drift_header=agent.header(active) if agent else active.drift_header,
            timings_ms=clock.done(),
        )
        self._keep(request, reply, active, agent, failure)
        if failure is not None:
            raise failure
        return reply

    async def call(self, call: Call, face: str) -> CallToolResult:
        """Validate and dispatch one call without a model.

        Raises:
            UnknownTool, InvalidArguments, UpstreamDown, UpstreamTimeout: as the dispatcher.
        """
        clock = _Clock()
        result: CallToolResult | None = None
        failure: PointsmanError | None = None
        try:
            result = await self._dispatcher.checked_call(call)
        except PointsmanError as exc:
            failure = exc
        clock.lap("dispatch", clock.started)
        self._records.note_call(
            {
                "id": f"call_{uuid.uuid4().hex}",
                "face": face,
                "outcome": failure.code if failure else "call",
                "calls": [call.as_dict()],
                "reason": str(failure) if failure else None,
                "results": results_as_json([result]) if result else None,
                "timings_ms": clock.done(),
            }
        )
        if failure is not None:
            raise failure
        assert result is not None
        return result

    def _resolve(self, request: RouteRequest) -> Active:
        active = self._active.resolve(request.model)
        if request.tools is not None:
            return active  # the agent's own tools count, whatever is live here
        if active.live is None:
            raise UpstreamDown(f"the servers of toolset {active.toolset} have not listed yet")
        if self._active.policy == "block" and active.drift.worst in MASKED:
            raise EngineDown(
                f"toolset {active.toolset} has drifted ({active.drift.worst}) from what adapter "
                f"{active.adapter.version} was trained on, and the policy is to block"
            )
        return active

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
        )

    def _threshold(self, request: RouteRequest, active: Active) -> float:
        if request.threshold is not None:
            return request.threshold
        return active.adapter.manifest.calibration.threshold

    def _masked(self) -> frozenset[DriftGrade]:
        return frozenset() if self._active.policy == "warn" else MASKED

    def _keep(
        self,
        request: RouteRequest,
        reply: Reply,
        active: Active,
        agent: AgentTools | None,
        failure: PointsmanError | None,
    ) -> None:
        decision, usage = reply.decision, reply.route.usage
        self._metrics.routes.labels(reply.model, decision.outcome, decision.reason_code or "").inc()
        self._metrics.tokens.labels(reply.model, "prompt").inc(usage.prompt_tokens)
        self._metrics.tokens.labels(reply.model, "completion").inc(usage.completion_tokens)
        self._metrics.seconds.labels("route").observe(reply.timings_ms["route"] / 1000)
        offered = agent or active.live
        self._records.note_call(
            {
                **reply.to_json(),
                "face": request.face,
                "messages": [[m.role, m.content] for m in request.messages],
                "live_fingerprint": offered.fingerprint if offered else None,
                "trained_fingerprint": active.adapter.toolset.fingerprint,
                "dispatched": request.dispatch and decision.outcome == "call",
                "failure": str(failure) if failure else None,
            }
        )


def _check_text(messages: Sequence[Message]) -> None:
    """JSON can escape half a surrogate pair, which no tokenizer takes."""
    try:
        for message in messages:
            message.content.encode()
    except UnicodeEncodeError as exc:
        raise BadRequest("the conversation holds text that is not valid Unicode") from exc


def results_as_json(results: Sequence[CallToolResult] | None) -> list[Any] | None:
    """MCP results as the faces and the record show them."""
    if results is None:
        return None
    return [r.model_dump(by_alias=True, mode="json", exclude_none=True) for r in results]
