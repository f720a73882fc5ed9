"""The request flow: route -> validate -> ground -> decide -> dispatch -> reply.

`Pipeline.handle` names the steps; each is a pure function or a small object of its own module.
Faces stand above and translate protocols; engine, catalog and records stand below.
"""

import time
import uuid
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from mcp.types import CallToolResult

from gateway.adapters.active import Active, ActiveAdapters, Chosen
from gateway.adapters.trials import Trials
from gateway.agent_tools import AgentTools, AgentToolsets
from gateway.decide import CallCheck, Decision
from gateway.dispatch import Dispatcher
from gateway.errors import EngineDown, PointsmanError, UnknownModel, UpstreamDown
from gateway.exchange import Reply, RouteRequest, results_as_json
from gateway.judge import Judge
from gateway.observe import Metrics
from gateway.records import Records
from gateway.router import Router
from gateway.shadow import Shadow
from gateway.toolsets.watch import Watch
from gateway.types import Call, Route

__all__ = ["Pipeline", "Reply", "RouteRequest", "results_as_json"]


@dataclass
class _Clock:
    """Milliseconds per step; a lap is the time since the one before."""

    started: float = field(default_factory=time.perf_counter)
    steps: dict[str, float] = field(
        default_factory=lambda: {"route": 0.0, "validate": 0.0, "dispatch": 0.0}
    )

    def __post_init__(self) -> None:
        self._last = self.started

    def lap(self, step: str) -> None:
        now = time.perf_counter()
        self.steps[step], self._last = round((now - self._last) * 1000, 3), now

    def done(self) -> dict[str, float]:
        return {**self.steps, "total": round((time.perf_counter() - self.started) * 1000, 3)}


@dataclass(frozen=True, slots=True)
class _Dispatched:
    """What came of the calls: their results, or why there are none."""

    results: Sequence[CallToolResult] | None = None
    failure: PointsmanError | None = None


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
        trials: Trials,
    ) -> None:
        self._router = router
        self._active = active
        self._dispatcher = dispatcher
        self._records = records
        self._metrics = metrics
        self._trials = trials
        self._agent_toolsets = AgentToolsets(metrics)
        self._judge = Judge(active, watch)
        self.shadow = Shadow(router, self._judge, self._agent_toolsets, active, trials)

    async def handle(self, request: RouteRequest) -> Reply:
        """Route one request, and dispatch its calls if it asks for that.

        Raises:
            BadRequest: the conversation holds text that is not valid Unicode.
            UnknownModel, ConversationTooLong, EngineDown: as the router.
            UpstreamDown: the toolset's servers have not been reached yet, or dispatch failed.
            UpstreamTimeout: a dispatched call was not answered in time.
        """
        clock = _Clock()
        with self._counted(request.face):
            request.check_text()
            with self._asked(request) as chosen:
                active = chosen.active
                agent = self._agent_toolsets.compiled(request.tools, active)
                route = await self._route(request, chosen, agent)
                clock.lap("route")
                checks = self._judge.checks(route, request, active, agent)
                decision = self._judge.decision(route, checks, request, active)
                clock.lap("validate")
                dispatched = await self._dispatch(request, decision, clock)
                reply = _reply(active, agent, route, checks, decision, dispatched, clock)
            self._keep(request, reply, active, agent, dispatched.failure)
            self._trials.answered(chosen, decision, clock.steps["route"] / 1000, route.confidence)
            self.shadow.follow(request, chosen, decision)
            if dispatched.failure is not None:
                raise dispatched.failure
            return reply

    async def call(self, call: Call, face: str, approval: str | None = None) -> CallToolResult:
        """Validate and dispatch one call without a model.

        `approval` names the request by which a person approved it, None if nobody was asked.

        Raises:
            UnknownTool, InvalidArguments, UpstreamDown, UpstreamTimeout: as the dispatcher.
        """
        clock = _Clock()
        result: CallToolResult | None = None
        failure: PointsmanError | None = None
        try:
            result = await self._dispatcher.checked_call(call, approved=approval is not None)
        except PointsmanError as exc:
            failure = exc
        clock.lap("dispatch")
        self._metrics.requests.labels(face, failure.code if failure else "call", "").inc()
        self._records.note_call(
            {
                "id": f"call_{uuid.uuid4().hex}",
                "face": face,
                "outcome": failure.code if failure else "call",
                "calls": [call.as_dict()],
                "reason": str(failure) if failure else None,
                "results": results_as_json([result]) if result else None,
                "timings_ms": clock.done(),
                **({"approval": approval} if approval else {}),
            }
        )
        if failure is not None:
            raise failure
        assert result is not None
        return result

    @contextmanager
    def _counted(self, face: str) -> Generator[None]:
        """Counts the request if it fails; what was decided of another, `_keep` counts."""
        try:
            yield
        except PointsmanError as exc:
            self._metrics.requests.labels(face, exc.code, "").inc()
            raise

    @contextmanager
    def _asked(self, request: RouteRequest) -> Generator[Chosen]:
        """The version that answers, kept loaded until the block ends."""
        with self._active.asked(request.model, request.conversation_key) as chosen:
            self._refuse_unready(chosen.active, request)
            yield chosen

    def _refuse_unready(self, active: Active, request: RouteRequest) -> None:
        if request.tools is not None:
            return  # the agent's own tools count, whatever is live here
        if active.live is None:
            raise UpstreamDown(f"the servers of toolset {active.toolset} have not listed yet")
        if self._active.action_on(active.adapter, active.drift) == "block":
            raise EngineDown(
                f"toolset {active.toolset} has drifted ({active.drift.worst}) from what adapter "
                f"{active.adapter.version} was trained on, and the policy is to block"
            )

    async def _route(
        self, request: RouteRequest, chosen: Chosen, agent: AgentTools | None
    ) -> Route:
        try:
            return await self._router.route(request.messages, (agent or chosen.active).asked)
        except (EngineDown, UnknownModel) as exc:
            self._trials.failed(chosen, exc)
            raise

    async def _dispatch(
        self, request: RouteRequest, decision: Decision, clock: _Clock
    ) -> _Dispatched:
        if not request.dispatch or decision.outcome != "call":
            return _Dispatched()
        try:
            return _Dispatched(results=await self._dispatcher.dispatch(decision.calls))
        except PointsmanError as exc:
            return _Dispatched(failure=exc)
        finally:
            clock.lap("dispatch")

    def _keep(
        self,
        request: RouteRequest,
        reply: Reply,
        active: Active,
        agent: AgentTools | None,
        failure: PointsmanError | None,
    ) -> None:
        decision, usage = reply.decision, reply.route.usage
        reason_code = decision.reason_code or ""
        if failure is None:
            self._metrics.requests.labels(request.face, decision.outcome, reason_code).inc()
        self._metrics.routes.labels(reply.model, decision.outcome, reason_code).inc()
        self._metrics.tokens.labels(reply.model, "prompt").inc(usage.prompt_tokens)
        self._metrics.tokens.labels(reply.model, "completion").inc(usage.completion_tokens)
        for step in ("route", "validate", "total"):
            self._metrics.seconds.labels(step).observe(reply.timings_ms[step] / 1000)
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


def _reply(
    active: Active,
    agent: AgentTools | None,
    route: Route,
    checks: Sequence[CallCheck],
    decision: Decision,
    dispatched: _Dispatched,
    clock: _Clock,
) -> Reply:
    return Reply(
        id=f"route_{uuid.uuid4().hex}",
        model=active.adapter.version,
        decision=decision,
        checks=checks,
        route=route,
        results=dispatched.results,
        drift_header=agent.header(active) if agent else active.drift_header,
        timings_ms=clock.done(),
    )
