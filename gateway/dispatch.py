"""Send valid calls to the servers that own their tools. Everything that runs passes here.

The caller has checked the calls; this module looks up the owner, calls it, bounds the result and
counts. It knows nothing of routes or policies, but for one: what needs a person's approval does not
run without, nor if its tool changed while the person thought.
"""

import json
import logging
import time
from collections.abc import Sequence

from mcp.types import CallToolResult, TextContent

from gateway.approval import Approver, OwnedCall, needs_approval
from gateway.config import ApprovalConfig
from gateway.errors import (
    HeldDefinition,
    InvalidArguments,
    NotApproved,
    PointsmanError,
    UnknownTool,
    UpstreamDown,
)
from gateway.observe import Metrics
from gateway.toolsets.watch import Watch
from gateway.types import Call

logger = logging.getLogger(__name__)

NOT_MADE = "not made: an earlier call failed"
"""The error of a call behind one that failed."""


class Dispatcher:
    """Calls tools of the live catalog."""

    def __init__(
        self,
        watch: Watch,
        metrics: Metrics,
        *,
        max_result_bytes: int,
        approval: ApprovalConfig | None = None,
    ) -> None:
        self._approval = approval or ApprovalConfig()
        self._watch = watch
        self._metrics = metrics
        self._max_result_bytes = max_result_bytes

    def check(self, calls: Sequence[Call]) -> None:
        """Validate calls that no route has proposed against the live schemas.

        Raises:
            UnknownTool: no live tool has this name.
            HeldDefinition: the tool's definition waits for an approval.
            InvalidArguments: the arguments break the schema.
        """
        self._refuse_held(calls)
        for call in calls:
            entry = self._watch.catalog.entries.get(call.tool)
            if entry is None:
                raise UnknownTool(f"there is no tool {call.tool!r}")
            errors = entry.validator.errors(call.arguments)
            if errors:
                raise InvalidArguments(call.tool, [error.as_dict() for error in errors])

    async def dispatch(
        self, calls: Sequence[Call], approver: Approver | None = None
    ) -> list[CallToolResult]:
        """Make valid calls in their order. Without an approver nobody can be asked.

        The failure of a single call is raised. Of several calls, earlier ones may have run, so
        there a failure becomes an error result in its place and the calls after it are not made.

        Raises:
            HeldDefinition: a tool's definition waits for an approval; nothing was sent.
            NotApproved, ApprovalAsked: a call needs an approval and has none; nothing was sent.
            UpstreamDown, UpstreamTimeout: as `Upstream.call`.
        """
        self._refuse_held(calls)
        await self._have_approved(calls, approver)
        if len(calls) == 1:
            return [await self._send(calls[0])]
        results: list[CallToolResult] = []
        for call in calls:
            try:
                results.append(await self._send(call))
            except PointsmanError as exc:
                results.append(_error_result(str(exc)))
                missing = len(calls) - len(results)
                results += [_error_result(NOT_MADE)] * missing
                break
        return results

    def _refuse_held(self, calls: Sequence[Call]) -> None:
        for call in calls:
            held = self._watch.catalog.held.get(call.tool)
            if held is not None:
                raise HeldDefinition(
                    f"{call.tool} is held: its definition is {held.state} and waits for a person: "
                    f"pointsman tools approve {call.tool}"
                )

    async def _have_approved(self, calls: Sequence[Call], approver: Approver | None) -> None:
        """One call that needs an approval holds all of them back; once a person is asked, the
        answer counts, whatever its tools have become."""
        entries = self._watch.catalog.entries
        live = [entries[call.tool].tool for call in calls if call.tool in entries]
        waits = [tool.name for tool in live if needs_approval(tool, self._approval)]
        if not waits and (approver is None or approver.step is None):
            return
        if approver is None:
            raise NotApproved(
                f"{waits[0]} runs only after a person approved the call, and here nobody can be "
                "asked: call it through POST /v1/responses, or over MCP from a client that "
                "supports elicitation"
            )
        owned = self._owned(calls)
        await approver.approve(owned)
        self._refuse_held(calls)
        if self._owned(calls) != owned:
            names = ", ".join(call.tool for call in calls)
            raise NotApproved(f"{names} changed since a person was asked; nothing was called")

    def _owned(self, calls: Sequence[Call]) -> list[OwnedCall]:
        """The calls with their live tools. Raises UnknownTool."""
        owned: list[OwnedCall] = []
        for call in calls:
            entry = self._watch.catalog.entries.get(call.tool)
            if entry is None:
                raise UnknownTool(f"tool {call.tool!r} is gone")
            owned.append(OwnedCall(entry.server, entry.fingerprint, call))
        return owned

    async def _send(self, call: Call) -> CallToolResult:
        entry = self._watch.catalog.entries.get(call.tool)
        if entry is None:
            raise UnknownTool(f"tool {call.tool!r} is gone")
        started = time.perf_counter()
        outcome = "error"
        try:
            upstream = self._watch.upstream(entry.server)
            result = await upstream.call(entry.own_name, call.arguments)
            size = _size(result)
            if size > self._max_result_bytes:
                raise UpstreamDown(
                    f"{call.tool} ran, but its result of {size} bytes is over the limit of "
                    f"{self._max_result_bytes}"
                )
            outcome = "tool_error" if result.is_error else "ok"
            return result
        finally:
            self._metrics.dispatches.labels(entry.server, outcome).inc()
            self._metrics.seconds.labels("dispatch").observe(time.perf_counter() - started)


def _error_result(text: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)


def _size(result: CallToolResult) -> int:
    """About how many bytes a result has, without serialising its texts again."""
    size = 0
    for block in result.content:
        for field in ("text", "data"):
            size += len(getattr(block, field, None) or "")
    if result.structured_content:
        size += len(json.dumps(result.structured_content))
    return size
