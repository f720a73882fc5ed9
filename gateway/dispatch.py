"""Send valid calls to the servers that own their tools. Everything that runs passes here.

The caller has checked the calls; this module looks up the owner, calls it, bounds the result and
counts. It knows nothing of routes or policies, but for one: what needs a person's approval does not
run without.
"""

import json
import logging
import time
from collections.abc import Sequence

from mcp.types import CallToolResult, TextContent

from gateway.approval import needs_approval
from gateway.config import ApprovalConfig
from gateway.errors import (
    Forbidden,
    HeldDefinition,
    InvalidArguments,
    PointsmanError,
    UnknownTool,
    UpstreamDown,
)
from gateway.observe import Metrics
from gateway.toolsets.watch import Watch
from gateway.types import Call

logger = logging.getLogger(__name__)


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

    async def checked_call(self, call: Call, *, approved: bool = False) -> CallToolResult:
        """Validate one call against the live schema, then make it. `approved` by a person.

        Raises:
            UnknownTool: no live tool has this name.
            HeldDefinition: the tool's definition waits for an approval; nothing was sent.
            Forbidden: the call needs an approval and has none; nothing was sent.
            InvalidArguments: the arguments break the schema; nothing was sent.
            UpstreamDown, UpstreamTimeout: as `Upstream.call`.
        """
        self._refuse_held([call])
        entry = self._watch.catalog.entries.get(call.tool)
        if entry is None:
            raise UnknownTool(f"there is no tool {call.tool!r}")
        started = time.perf_counter()
        errors = entry.validator.errors(call.arguments)
        self._metrics.seconds.labels("validate").observe(time.perf_counter() - started)
        if errors:
            raise InvalidArguments(call.tool, [error.as_dict() for error in errors])
        if not approved:
            self._require_none_to_approve([call])
        return await self._send(call)

    async def dispatch(self, calls: Sequence[Call]) -> list[CallToolResult]:
        """Make calls in their order.

        The failure of a single call is raised. Of several calls, earlier ones may have run, so
        there a failure becomes an error result in its place and the calls after it are not made.

        Raises:
            HeldDefinition: a tool's definition waits for an approval; nothing was sent.
            Forbidden: a call needs an approval; nothing was sent.
        """
        self._refuse_held(calls)
        self._require_none_to_approve(calls)
        if len(calls) == 1:
            return [await self._send(calls[0])]
        results: list[CallToolResult] = []
        for call in calls:
            try:
                results.append(await self._send(call))
            except PointsmanError as exc:
                results.append(_error_result(str(exc)))
                missing = len(calls) - len(results)
                results += [_error_result("not made: an earlier call failed")] * missing
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

    def _require_none_to_approve(self, calls: Sequence[Call]) -> None:
        for call in calls:
            entry = self._watch.catalog.entries.get(call.tool)
            if entry is not None and needs_approval(entry.tool, self._approval):
                raise Forbidden(f"{call.tool} runs only after a person approved the call")

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
