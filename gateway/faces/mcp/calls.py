"""`tools/call`: a call of a server's tool, or of our own `route`. Both run through the pipeline.

What the model can mend (its arguments, its request) or should read (why nothing was called) is a
result with `isError`; what breaks the protocol is an error.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS, CallToolResult, TextContent, Tool
from mcp.types import ContentBlock as Content

from gateway.errors import (
    BadRequest,
    Forbidden,
    InputRequired,
    InvalidArguments,
    NotFound,
    PointsmanError,
    UpstreamRefused,
)
from gateway.faces.mcp.agent import AgentRequest
from gateway.faces.mcp.offer import ROUTE, Address
from gateway.pipeline import Pipeline, Reply, RouteRequest
from gateway.toolsets.caller import CALLER
from gateway.types import Call, Message
from gateway.validate import ArgumentError, ToolValidator

_ROUTE_ARGUMENTS = ToolValidator(ROUTE)
_META = "pointsman/route"

Result = CallToolResult | dict[str, Any]


async def call_tool(
    pipeline: Pipeline,
    tools: Mapping[str, Tool],
    address: Address,
    request: AgentRequest,
    call: Call,
) -> Result:
    """Make one call of a tool among `tools`.

    Raises:
        MCPError: no such tool, or the server could not be asked or did not accept the call.
    """
    if call.tool not in tools:
        raise MCPError(INVALID_PARAMS, f"Unknown tool: {call.tool}")
    token = CALLER.set(request)
    try:
        if call.tool == ROUTE.name:
            return await _route(pipeline, address, call.arguments)
        return await pipeline.call(call, "mcp")
    except InputRequired as exc:
        if request.modern and call.tool != ROUTE.name:
            return dict(exc.result)
        return failed(str(exc))
    except InvalidArguments as exc:
        return failed(invalid(exc.errors))
    except Forbidden as exc:
        return failed(str(exc))
    except PointsmanError as exc:
        raise as_mcp(exc) from exc
    finally:
        CALLER.reset(token)
        await request.settled()


def invalid(errors: Sequence[Mapping[str, str]]) -> str:
    """One line per error, so that a model can mend the call."""
    lines = [str(ArgumentError(error["pointer"], error["message"])) for error in errors]
    return "\n".join(["The arguments are not valid; nothing was called.", *lines])


def failed(text: str) -> CallToolResult:
    """A result that says what went wrong."""
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)


def as_mcp(exc: PointsmanError) -> MCPError:
    """An error of ours on the wire; a server's own error keeps its code and its data."""
    if isinstance(exc, UpstreamRefused):
        return MCPError(exc.rpc_code, exc.rpc_message, exc.rpc_data)
    code = INVALID_PARAMS if isinstance(exc, BadRequest | NotFound) else INTERNAL_ERROR
    return MCPError(code, str(exc), {"code": exc.code})


async def _route(pipeline: Pipeline, address: Address, arguments: dict[str, Any]) -> Result:
    errors = _ROUTE_ARGUMENTS.errors(arguments)
    if errors:
        return failed(invalid([error.as_dict() for error in errors]))
    reply = await pipeline.handle(
        RouteRequest(
            messages=(Message("user", arguments["request"]),),
            face="mcp",
            model=address.toolset,
            dispatch=True,
        )
    )
    return _routed(reply)


def _routed(reply: Reply) -> CallToolResult:
    decision = reply.decision
    told = {
        "id": reply.id,
        "model": reply.model,
        "outcome": decision.outcome,
        "calls": [call.as_dict() for call in decision.calls],
        "reasonCode": decision.reason_code,
        "confidence": reply.route.confidence,
    }
    results = reply.results or ()
    if len(results) == 1:
        return results[0].model_copy(update={"meta": {**(results[0].meta or {}), _META: told}})
    if results:
        content: list[Content] = [block for result in results for block in result.content]
        is_error = any(result.is_error for result in results)
        return CallToolResult(content=content, is_error=is_error, _meta={_META: told})
    text = f"Nothing was called: {decision.reason or decision.outcome}"
    refused = failed(text)
    return refused.model_copy(update={"meta": {_META: told}})
