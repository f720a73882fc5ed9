"""OpenAI's Chat Completions, so that an agent changes its base URL and nothing else.

With `tools` from the agent only those may be called, checked against the agent's own schemas;
without, the adapter's trained tools. Not streaming yet. What is not supported is refused, never
ignored in silence.
"""

import json
import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from mcp.types import Tool
from pydantic import BaseModel, Field

from gateway.errors import BadRequest
from gateway.faces.parts import Parts, agent
from gateway.faces.response import Json
from gateway.pipeline import Reply, RouteRequest
from gateway.prompt import render_calls
from gateway.types import Call, Message

router = APIRouter()
AgentParts = Annotated[Parts, Depends(agent)]


class TextPart(BaseModel):
    """A part of a message's content; other types than text cannot be routed."""

    type: str
    text: str | None = None


class CalledFunction(BaseModel):
    """The function of a tool call in the history; arguments are JSON text."""

    name: str
    arguments: str = "{}"


class MadeCall(BaseModel):
    """A tool call in the history."""

    id: str
    function: CalledFunction


class ChatMessage(BaseModel):
    """One message of the history."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[TextPart] | None = None
    tool_calls: list[MadeCall] | None = None

    @property
    def text(self) -> str:
        """The content's text. Raises BadRequest for a part that is not text."""
        if self.content is None or isinstance(self.content, str):
            return self.content or ""
        if any(part.type != "text" for part in self.content):
            raise BadRequest("messages may hold text alone")
        return "\n".join(part.text or "" for part in self.content)


class OfferedFunction(BaseModel):
    """A tool as OpenAI's API writes it; without parameters it takes none."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] = {"type": "object", "properties": {}}


class OfferedTool(BaseModel):
    """A tool the agent offers."""

    type: Literal["function"]
    function: OfferedFunction


class ChatBody(BaseModel):
    """Body of `POST /v1/chat/completions`: what the router can honour, and what it must refuse."""

    model: str = "auto"
    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    tools: list[OfferedTool] | None = None
    tool_choice: str | dict[str, Any] | None = None
    stream: bool | None = False
    n: int | None = 1
    response_format: dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    logprobs: bool | None = None
    functions: list[Any] | None = None

    def refuse_unsupported(self) -> None:
        """Raises BadRequest naming the first setting that cannot be honoured."""
        if self.stream:
            raise BadRequest("stream is not supported yet")
        if self.n not in (None, 1):
            raise BadRequest("n must be 1: decoding is greedy")
        if self.response_format not in (None, {"type": "text"}):
            raise BadRequest("response_format is not supported: the router writes tool calls")
        if self.tool_choice not in (None, "auto", "none"):
            raise BadRequest("tool_choice must be auto or none")
        if self.parallel_tool_calls is False:
            raise BadRequest("parallel_tool_calls cannot be switched off yet")
        if self.logprobs or self.functions:
            raise BadRequest("logprobs and functions are not supported")


@router.post("/v1/chat/completions")
async def chat(body: ChatBody, gateway: AgentParts) -> Json:
    """Route a conversation; the answer is a message with tool calls, or with the reason."""
    body.refuse_unsupported()
    last = body.messages[-1]
    if last.role == "tool" or body.tool_choice == "none":
        # Without a fallback LLM nobody words an answer: the tool's result is the answer.
        text = last.text if last.role == "tool" else "tool_choice is none and this model only calls"
        return Json(_completion(body.model, {"role": "assistant", "content": text}, "stop"))
    reply = await gateway.pipeline.handle(
        RouteRequest(
            messages=tuple(_message(message) for message in body.messages),
            face="openai",
            model=body.model,
            tools=None if body.tools is None else tuple(_tool(tool) for tool in body.tools),
        )
    )
    headers = {"X-Pointsman-Outcome": reply.decision.outcome}
    if reply.drift_header:
        headers["X-Pointsman-Drift"] = reply.drift_header
    return Json(_answer(reply), headers=headers)


@router.get("/v1/models")
async def models(gateway: AgentParts) -> Json:
    """The adapters in service and their toolsets; any of the ids is a `model`."""
    ids = {"auto": None}
    for active in gateway.active.all:
        ids |= dict.fromkeys((active.adapter.name, active.toolset, active.adapter.version))
    data = [{"id": name, "object": "model", "created": 0, "owned_by": "pointsman"} for name in ids]
    return Json({"object": "list", "data": data})


def _message(message: ChatMessage) -> Message:
    if message.tool_calls:
        calls = [
            Call(c.function.name, _arguments(c.function.arguments)) for c in message.tool_calls
        ]
        return Message("assistant", render_calls(calls))
    role = "system" if message.role == "developer" else message.role
    return Message(role, message.text)


def _arguments(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text or "{}")
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as exc:
        raise BadRequest(f"a tool call's arguments are not JSON: {exc}") from exc
    if not isinstance(value, dict):
        raise BadRequest("a tool call's arguments must be a JSON object")
    return value


def _tool(tool: OfferedTool) -> Tool:
    function = tool.function
    return Tool(
        name=function.name, description=function.description, input_schema=function.parameters
    )


def _answer(reply: Reply) -> dict[str, Any]:
    usage = reply.route.usage
    if reply.decision.outcome != "call":
        message = {"role": "assistant", "content": reply.decision.reason or "no tool fits"}
        return _completion(
            reply.model, message, "stop", usage.prompt_tokens, usage.completion_tokens
        )
    calls = [
        {
            "id": f"call_{reply.id[6:30]}_{index}",
            "type": "function",
            "function": {
                "name": call.tool,
                "arguments": json.dumps(call.arguments, ensure_ascii=False),
            },
        }
        for index, call in enumerate(reply.decision.calls)
    ]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    return _completion(
        reply.model, message, "tool_calls", usage.prompt_tokens, usage.completion_tokens
    )


def _completion(
    model: str, message: dict[str, Any], finish: str, prompt: int = 0, completion: int = 0
) -> dict[str, Any]:
    now = time.time()
    return {
        "id": f"chatcmpl-{int(now * 1e6):x}",
        "object": "chat.completion",
        "created": int(now),
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        },
    }
