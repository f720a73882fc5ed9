"""What came of a request, as it is counted and recorded. The pipeline says what happened and when.

Every request is counted once, whatever it ends with; one that the client cancelled as well. Below
stand metrics and records; nothing here decides or dispatches.
"""

import asyncio
import time
import uuid
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from mcp.types import CallToolResult

from gateway.adapters.active import Active
from gateway.agent_tools import AgentTools
from gateway.approval import Approver
from gateway.errors import ApprovalAsked, Conflict, Forbidden, NotFound, PointsmanError
from gateway.exchange import Reply, RouteRequest, results_as_json
from gateway.observe import Metrics
from gateway.records import Records
from gateway.types import Call


@dataclass
class Clock:
    """Milliseconds per step; a lap is the time since the one before."""

    started: float = field(default_factory=time.perf_counter)
    steps: dict[str, float] = field(
        default_factory=lambda: {"route": 0.0, "validate": 0.0, "dispatch": 0.0}
    )

    def __post_init__(self) -> None:
        self._last = self.started

    def lap(self, step: str) -> None:
        """A step is over."""
        now = time.perf_counter()
        self.steps[step], self._last = round((now - self._last) * 1000, 3), now

    def done(self) -> dict[str, float]:
        """All steps, and the time since the clock was made."""
        return {**self.steps, "total": round((time.perf_counter() - self.started) * 1000, 3)}


@dataclass(frozen=True, slots=True)
class Dispatched:
    """What came of the calls: their results, or why there are none. A failure is raised once it is
    recorded."""

    results: Sequence[CallToolResult] | None = None
    failure: BaseException | None = None
    approver: Approver | None = None

    @property
    def asked(self) -> ApprovalAsked | None:
        """That a person is being asked, if that is why."""
        return self.failure if isinstance(self.failure, ApprovalAsked) else None

    @property
    def sent(self) -> bool:
        """Whether a call may have reached its server."""
        if self.approver is not None and self.approver.step not in (None, "approved"):
            return False
        refused = isinstance(self.failure, Forbidden | Conflict | NotFound)
        return not refused and (self.results is not None or self.failure is not None)

    @property
    def approval(self) -> dict[str, Any]:
        """What a person was asked and said, as a member of the record; none if nobody was asked."""
        if self.approver is None or self.approver.approval is None:
            return {}
        return {"approval": {"id": self.approver.approval, "step": self.approver.step}}


class Outcomes:
    """Counts requests and keeps what came of them."""

    def __init__(self, metrics: Metrics, records: Records) -> None:
        self._metrics = metrics
        self._records = records

    @contextmanager
    def counted(self, face: str) -> Generator[None]:
        """Counts the request if it fails; what came of another is counted as it is kept."""
        try:
            yield
        except (Exception, asyncio.CancelledError) as exc:
            self._metrics.requests.labels(face, code_of(exc), "").inc()
            raise

    def keep_unrouted(self, request: RouteRequest, version: str, failure: BaseException) -> None:
        """Keep a request that ended while the version was asked."""
        self._records.note_call(
            {
                "id": f"route_{uuid.uuid4().hex}",
                "face": request.face,
                "model": version,
                "outcome": code_of(failure),
                "reason": _words(failure),
                "messages": _spoken(request),
                "dispatched": False,
            }
        )

    def keep_route(
        self,
        request: RouteRequest,
        reply: Reply,
        active: Active,
        agent: AgentTools | None,
        dispatched: Dispatched,
    ) -> None:
        """Count and keep a routed request. `agent` are the agent's own tools, None without any."""
        self._count_route(request.face, reply, dispatched)
        failure, offered = dispatched.failure, agent or active.live
        told = reply.to_json()
        if isinstance(failure, asyncio.CancelledError):
            told["outcome"] = code_of(failure)
        self._records.note_call(
            {
                **told,
                "face": request.face,
                "messages": _spoken(request),
                "live_fingerprint": offered.fingerprint if offered else None,
                "trained_fingerprint": active.adapter.toolset.fingerprint,
                "dispatched": dispatched.sent,
                "failure": _words(failure) if failure else None,
                **dispatched.approval,
            }
        )

    def keep_calls(
        self,
        calls: Sequence[Call],
        face: str,
        dispatched: Dispatched,
        clock: Clock,
        *,
        proposed: bool,
    ) -> None:
        """Count and keep calls made without a model; of those that a route has `proposed`, the
        validation was a step of that request."""
        failure = dispatched.failure
        if failure is None:
            self._metrics.requests.labels(face, "call", "").inc()
        if not proposed and not isinstance(failure, NotFound | Conflict):  # it had a schema
            self._metrics.seconds.labels("validate").observe(clock.steps["validate"] / 1000)
        self._records.note_call(
            {
                "id": f"call_{uuid.uuid4().hex}",
                "face": face,
                "outcome": code_of(failure) if failure else "call",
                "calls": [call.as_dict() for call in calls],
                "reason": _words(failure) if failure else None,
                "results": results_as_json(dispatched.results),
                "timings_ms": clock.done(),
                **dispatched.approval,
            }
        )

    def _count_route(self, face: str, reply: Reply, dispatched: Dispatched) -> None:
        decision, usage, metrics = reply.decision, reply.route.usage, self._metrics
        reason_code = decision.reason_code or ""
        if dispatched.failure is None or reply.asked is not None:
            outcome = reply.asked.code if reply.asked else decision.outcome
            metrics.requests.labels(face, outcome, reason_code).inc()
        metrics.routes.labels(reply.model, decision.outcome, reason_code).inc()
        metrics.tokens.labels(reply.model, "prompt").inc(usage.prompt_tokens)
        metrics.tokens.labels(reply.model, "completion").inc(usage.completion_tokens)
        for step in ("route", "validate", "total"):
            metrics.seconds.labels(step).observe(reply.timings_ms[step] / 1000)


def code_of(failure: BaseException) -> str:
    """What a request that failed counts as."""
    if isinstance(failure, PointsmanError):
        return failure.code
    return "cancelled" if isinstance(failure, asyncio.CancelledError) else PointsmanError.code


def _words(failure: BaseException) -> str:
    if isinstance(failure, PointsmanError):
        return str(failure)
    if isinstance(failure, asyncio.CancelledError):
        return "cancelled by its client, or the client hung up, before it was done"
    return f"{type(failure).__name__}, see the log"


def _spoken(request: RouteRequest) -> list[list[str]]:
    return [[message.role, message.content] for message in request.messages]
