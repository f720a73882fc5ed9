"""The version on trial in the shadow of the one in service: asked the same, behind the reply.

Its answer is judged, compared and counted, and used for nothing: no call of it is dispatched, and
no record of the request is kept. So many at once and no more; a shadow that is behind leaves
requests out, so that it never holds up the version in service for long.
"""

import asyncio
import logging
import time

from gateway.adapters.active import Active, ActiveAdapters, Chosen
from gateway.adapters.trials import Trials
from gateway.agent_tools import AgentToolsets
from gateway.decide import Decision
from gateway.errors import PointsmanError
from gateway.exchange import RouteRequest
from gateway.judge import Judge
from gateway.router import Router

logger = logging.getLogger(__name__)

AT_ONCE = 8


class Shadow:
    """Asks shadows in the background."""

    def __init__(
        self,
        router: Router,
        judge: Judge,
        agent_toolsets: AgentToolsets,
        active: ActiveAdapters,
        trials: Trials,
        at_once: int = AT_ONCE,
    ) -> None:
        self._router = router
        self._judge = judge
        self._agent_toolsets = agent_toolsets
        self._leases = active.leases
        self._trials = trials
        self._at_once = at_once
        self._tasks: set[asyncio.Task[None]] = set()

    def follow(self, request: RouteRequest, chosen: Chosen, served: Decision) -> None:
        """Ask the shadow, if there is one, what was just answered; returns at once."""
        if chosen.shadow is None:
            return
        if len(self._tasks) >= self._at_once:
            self._trials.shadow_dropped(chosen)
            return
        version = chosen.shadow.adapter.version
        self._leases.take(version)  # before the task first runs, which is later
        work = self._ask(request, chosen, chosen.shadow, served)
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._done(done, version))

    async def settled(self) -> None:
        """Wait until every shadow under way has answered."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Give up what is under way; idempotent."""
        for task in self._tasks:
            task.cancel()
        await self.settled()

    async def _ask(
        self, request: RouteRequest, chosen: Chosen, shadow: Active, served: Decision
    ) -> None:
        agent = self._agent_toolsets.compiled(request.tools, shadow)
        began = time.perf_counter()
        try:
            route = await self._router.route(request.messages, (agent or shadow).asked)
        except PointsmanError as exc:
            self._trials.shadow_failed(chosen, exc)
            return
        seconds = time.perf_counter() - began
        checks = self._judge.checks(route, request, shadow, agent)
        decision = self._judge.decision(route, checks, request, shadow)
        self._trials.shadowed(chosen, served, decision, seconds, route.confidence)

    def _done(self, task: asyncio.Task[None], version: str) -> None:
        self._tasks.discard(task)
        self._leases.give(version)
        if not task.cancelled() and (exc := task.exception()) is not None:
            logger.error("a shadow failed: %s", exc, exc_info=exc, extra={"event": "shadow_failed"})
