"""The request flow: route -> validate -> ground -> decide -> dispatch -> reply.

`Pipeline.handle` names the steps; each is a pure function or a small object of its own module.
Faces stand above and translate protocols; engine, catalog and records stand below.
"""

import asyncio
import uuid
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from mcp.types import CallToolResult

from gateway.adapters.active import Active, ActiveAdapters, Chosen
from gateway.adapters.trials import Trials
from gateway.agent_tools import AgentTools, AgentToolsets
from gateway.approval import Approver
from gateway.decide import CallCheck, Decision
from gateway.dispatch import Dispatcher
from gateway.errors import EngineDown, UnknownModel, UpstreamDown
from gateway.exchange import Reply, RouteRequest, results_as_json
from gateway.judge import Judge
from gateway.observe import Metrics
from gateway.outcomes import Clock, Dispatched, Outcomes
from gateway.records import Records
from gateway.router import Router
from gateway.shadow import Shadow
from gateway.toolsets.watch import Watch
from gateway.types import Call, Route

__all__ = ["Pipeline", "Reply", "RouteRequest", "results_as_json"]


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
        self._outcomes = Outcomes(metrics, records)
        self._trials = trials
        self._agent_toolsets = AgentToolsets(metrics)
        self._judge = Judge(active, watch)
        self.shadow = Shadow(router, self._judge, self._agent_toolsets, active, trials)

    async def handle(self, request: RouteRequest, approver: Approver | None = None) -> Reply:
        """Route one request, and dispatch its calls if it asks for that. The approver has those
        approved that need it; without one they are refused.

        Raises:
            BadRequest: the conversation holds text that is not valid Unicode.
            UnknownModel, ConversationTooLong, EngineDown: as the router.
            UpstreamDown: the toolset's servers have not been reached yet, or dispatch failed.
            UpstreamTimeout: a dispatched call was not answered in time.
            NotApproved: a person has to approve a call and has not.
        """
        clock = Clock()
        with self._outcomes.counted(request.face):
            request.check_text()
            with self._asked(request) as chosen:
                active = chosen.active
                agent = self._agent_toolsets.compiled(request.tools, active)
                route = await self._route(request, chosen, agent)
                clock.lap("route")
                checks = self._judge.checks(route, request, active, agent)
                decision = self._judge.decision(route, checks, request, active)
                clock.lap("validate")
            dispatched = await self._dispatch(request, decision, approver, clock)
            reply = _reply(active, agent, route, checks, decision, dispatched, clock)
            self._outcomes.keep_route(request, reply, active, agent, dispatched)
            self._trials.answered(chosen, decision, clock.steps["route"] / 1000, route.confidence)
            self.shadow.follow(request, chosen, decision)
            if dispatched.failure is not None and reply.asked is None:
                raise dispatched.failure
            return reply

    async def call(
        self, call: Call, face: str, approver: Approver | None = None, *, proposed: bool = False
    ) -> CallToolResult:
        """As `calls`, for one call."""
        (result,) = await self.calls((call,), face, approver, proposed=proposed)
        return result

    async def calls(
        self,
        calls: Sequence[Call],
        face: str,
        approver: Approver | None = None,
        *,
        proposed: bool = False,
    ) -> Sequence[CallToolResult]:
        """Validate and dispatch calls without a model, or those that an earlier route `proposed`.

        Raises:
            UnknownTool, InvalidArguments: nothing was sent.
            NotApproved, ApprovalAsked, HeldDefinition, UpstreamDown, UpstreamTimeout: as the
                dispatcher.
        """
        clock = Clock()
        with self._outcomes.counted(face):
            dispatched = self._refused(calls, clock) or await self._made(calls, approver, clock)
            self._outcomes.keep_calls(calls, face, dispatched, clock, proposed=proposed)
            if dispatched.failure is not None:
                raise dispatched.failure
        assert dispatched.results is not None
        return dispatched.results

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
        except asyncio.CancelledError as exc:
            self._outcomes.keep_unrouted(request, chosen.active.adapter.version, exc)
            raise

    async def _dispatch(
        self, request: RouteRequest, decision: Decision, approver: Approver | None, clock: Clock
    ) -> Dispatched:
        if not request.dispatch or decision.outcome != "call":
            return Dispatched()
        return await self._made(decision.calls, approver, clock)

    def _refused(self, calls: Sequence[Call], clock: Clock) -> Dispatched | None:
        """Why calls cannot be made; None if they can."""
        try:
            self._dispatcher.check(calls)
        except Exception as exc:
            return Dispatched(failure=exc)
        finally:
            clock.lap("validate")
        return None

    async def _made(
        self, calls: Sequence[Call], approver: Approver | None, clock: Clock
    ) -> Dispatched:
        try:
            results = await self._dispatcher.dispatch(calls, approver)
            return Dispatched(results, approver=approver)
        except (Exception, asyncio.CancelledError) as exc:
            return Dispatched(failure=exc, approver=approver)
        finally:
            clock.lap("dispatch")


def _reply(
    active: Active,
    agent: AgentTools | None,
    route: Route,
    checks: Sequence[CallCheck],
    decision: Decision,
    dispatched: Dispatched,
    clock: Clock,
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
        asked=dispatched.asked,
    )
