"""`tools/call`: a call of a server's tool, or of our own `route`. Both run through the pipeline.

What the model can mend (its arguments, its request) or should read (why nothing was called) is a
result with `isError`; what breaks the protocol is an error. What a person has to approve first
comes back with the person's answer, where the agent's era has no other way.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp.types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolResult,
    InputRequiredResult,
    TextContent,
    Tool,
)
from mcp.types import ContentBlock as Content
from prometheus_client import Counter

from gateway.approval import Once
from gateway.errors import (
    ApprovalAsked,
    BadRequest,
    Forbidden,
    InputRequired,
    InvalidArguments,
    NotFound,
    PointsmanError,
    UpstreamRefused,
)
from gateway.faces.mcp.agent import AgentRequest
from gateway.faces.mcp.consent import Consent, Question, asking, identity
from gateway.faces.mcp.offer import ROUTE, Address
from gateway.pipeline import Pipeline, Reply, RouteRequest
from gateway.toolsets.caller import CALLER
from gateway.types import Call, Message
from gateway.validate import ArgumentError, ToolValidator

_ROUTE_ARGUMENTS = ToolValidator(ROUTE)
_META = "pointsman/route"

Result = CallToolResult | InputRequiredResult | dict[str, Any]


class ToolCalls:
    """Makes the calls of agents; one object serves all addresses."""

    def __init__(self, pipeline: Pipeline, steps: Counter) -> None:
        """`steps` counts what persons are asked and say."""
        self._pipeline = pipeline
        self._steps = steps
        self._questions = Once[Question]()

    async def make(
        self, tools: Mapping[str, Tool], address: Address, request: AgentRequest, call: Call
    ) -> Result:
        """Make one call of a tool among `tools`.

        Raises:
            MCPError: no such tool, or the server could not be asked or did not accept the call.
        """
        if call.tool not in tools:
            raise MCPError(INVALID_PARAMS, f"Unknown tool: {call.tool}")
        consent = Consent(request, self._steps, self._answered(request, call))
        token = CALLER.set(request)
        try:
            if call.tool == ROUTE.name:
                return await self._route(address, call, consent)
            result = await self._pipeline.call(call, "mcp", consent)
            return result if request.modern else _of_the_handshake_era(result)
        except ApprovalAsked:
            return self._ask(consent, call)
        except InputRequired as exc:
            if request.modern and call.tool != ROUTE.name:
                return self._passed_on(exc.result, consent)
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

    def _answered(self, request: AgentRequest, call: Call) -> Question | None:
        """The question that a call comes back from. The answer to another call's counts for
        nothing."""
        state = request.answers.get("requestState")
        if not request.modern or not isinstance(state, str):
            return None
        question = self._questions.take(state)
        if question is None or question.request == identity(call):
            return question
        request.answers = {}
        return None

    def _ask(
        self, consent: Consent, call: Call, told: Mapping[str, Any] | None = None
    ) -> InputRequiredResult:
        assert consent.question is not None
        question = replace(consent.question, request=identity(call), told=told)
        self._questions.keep(question.id, question)
        return asking(question)

    def _passed_on(self, asked: Mapping[str, Any], consent: Consent) -> dict[str, Any]:
        """What a server asks for. Its state is kept with an approval, which holds for the call that
        comes back with the answer."""
        if consent.question is None:
            return dict(asked)
        question = replace(
            consent.question,
            id=f"mcpa_{uuid.uuid4().hex}",
            approved=True,
            server_state=asked.get("requestState"),
        )
        self._questions.keep(question.id, question)
        return {**asked, "requestState": question.id}

    async def _route(self, address: Address, call: Call, consent: Consent) -> Result:
        if consent.question is not None:  # routed before, and a person was asked about the calls
            calls = [owned.call for owned in consent.question.calls]
            results = await self._pipeline.calls(calls, "mcp", consent, proposed=True)
            return _together(results, consent.question.told or {})
        errors = _ROUTE_ARGUMENTS.errors(call.arguments)
        if errors:
            return failed(invalid([error.as_dict() for error in errors]))
        request = RouteRequest(
            messages=(Message("user", call.arguments["request"]),),
            face="mcp",
            model=address.toolset,
            dispatch=True,
        )
        reply = await self._pipeline.handle(request, consent)
        told = _told(reply)
        if reply.asked is not None:
            return self._ask(consent, call, told)
        if reply.results:
            return _together(reply.results, told)
        refused = failed(f"Nothing was called: {reply.decision.reason or reply.decision.outcome}")
        return refused.model_copy(update={"meta": {_META: told}})


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


def _of_the_handshake_era(result: CallToolResult) -> CallToolResult:
    """There, structured content is an object; any other value becomes text, if there is none."""
    found = result.structured_content
    if found is None or isinstance(found, dict):
        return result
    content = result.content or [TextContent(type="text", text=json.dumps(found))]
    return result.model_copy(update={"structured_content": None, "content": content})


def _told(reply: Reply) -> dict[str, Any]:
    decision = reply.decision
    return {
        "id": reply.id,
        "model": reply.model,
        "outcome": decision.outcome,
        "calls": [call.as_dict() for call in decision.calls],
        "reasonCode": decision.reason_code,
        "confidence": reply.route.confidence,
    }


def _together(results: Sequence[CallToolResult], told: Mapping[str, Any]) -> CallToolResult:
    """The results of all calls as one, and what the route said of them."""
    if len(results) == 1:
        return results[0].model_copy(update={"meta": {**(results[0].meta or {}), _META: told}})
    content: list[Content] = [block for result in results for block in result.content]
    is_error = any(result.is_error for result in results)
    return CallToolResult(content=content, is_error=is_error, _meta={_META: dict(told)})
