"""`POST /v1/chat/completions`, `GET /v1/models` and `GET /v1/models/{name}`.

With `tools` from the agent only those may be called, checked against the agent's own schemas;
without, the adapter's trained tools. A seed changes nothing, for decoding is greedy.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from gateway.faces.description import openai_problems
from gateway.faces.openai.answers import (
    ANSWER_HEADERS,
    EVENTS,
    ChatCompletion,
    ServedModel,
    ServedModels,
)
from gateway.faces.openai.completion import Completion
from gateway.faces.openai.errors import OpenAiRoute, Unsupported
from gateway.faces.openai.events import event_stream, while_connected
from gateway.faces.openai.messages import ChatMessage, OfferedTool, as_sent, in_our_words
from gateway.faces.openai.parameters import Refused, ToolChoice, choice_of, only, refuse
from gateway.faces.parts import Parts, agent
from gateway.faces.response import Json
from gateway.turn import Answer, Begun, Turn

router = APIRouter(route_class=OpenAiRoute)
AgentParts = Annotated[Parts, Depends(agent)]

_SETTINGS = (
    "temperature", "top_p", "max_tokens", "max_completion_tokens", "stop", "seed", "user",
    "presence_penalty", "frequency_penalty", "reasoning_effort", "verbosity",
)  # fmt: skip
_REFUSED = (
    "functions", "function_call", "logprobs", "top_logprobs", "audio", "web_search_options",
    "logit_bias", "prediction", "moderation",
)  # fmt: skip


class StreamOptions(BaseModel):
    """`stream_options`."""

    include_usage: bool = False


class ChatBody(BaseModel):
    """Body of `POST /v1/chat/completions`: what can be honoured, and what must be refused.

    The settings are for the fallback alone, but for `stop`, which cuts every text.
    """

    model: str = "auto"
    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    tools: list[OfferedTool] | None = None
    tool_choice: ToolChoice = None
    parallel_tool_calls: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Annotated[int | None, only(1)] = None
    stop: str | Annotated[list[str], Field(max_length=4)] | None = None
    seed: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    user: str | None = None
    response_format: Annotated[dict[str, Any] | None, only({"type": "text"})] = None
    modalities: Annotated[list[str] | None, only(["text"])] = None
    functions: Refused = None
    function_call: Refused = None
    logprobs: Refused = None
    top_logprobs: Refused = None
    logit_bias: Refused = None
    audio: Refused = None
    web_search_options: Refused = None
    prediction: Refused = None
    moderation: Refused = None

    def refuse_unsupported(self) -> None:
        """Raises Unsupported naming the first setting that cannot be honoured."""
        if self.n not in (None, 1):
            raise Unsupported("n", "n must be 1: decoding is greedy")
        if self.response_format not in (None, {"type": "text"}):
            raise Unsupported(
                "response_format", "response_format is not supported: the router writes tool calls"
            )
        if self.modalities not in (None, ["text"]):
            raise Unsupported("modalities", "modalities must be text")
        refuse(self, _REFUSED)

    @property
    def turn(self) -> Turn:
        """What is asked. Raises BadRequest."""
        self.refuse_unsupported()
        tools = self.tools
        return Turn(
            face="openai",
            model=self.model,
            messages=in_our_words(self.messages),
            spoken=as_sent(self.messages),
            tools=None if tools is None else tuple(tool.function.tool for tool in tools),
            choice=choice_of(self.tool_choice, self.parallel_tool_calls),
            settings=self.model_dump(include=set(_SETTINGS), exclude_none=True),
            stream=bool(self.stream),
        )


@router.post(
    "/v1/chat/completions",
    response_model=ChatCompletion,
    responses={
        200: {"headers": ANSWER_HEADERS, "content": EVENTS},
        **openai_problems(404, 422, 502, 503, 504),
    },
)
async def chat(body: ChatBody, request: Request, gateway: AgentParts) -> Response:
    """Answer a conversation with tool calls, or with a text that says why not."""
    turn = replace(body.turn, conversation=request.headers.get("x-conversation-id"))
    begun, first, answer = await while_connected(request, _begin(gateway, turn))
    headers = headers_of(begun)
    if answer is not None:
        return Json(Completion(answer.model).whole(answer), headers=headers)
    counted = body.stream_options is not None and body.stream_options.include_usage
    return event_stream(_chunks(begun, first, Completion(begun.model, counted)), headers)


@router.get("/v1/models", response_model=ServedModels)
async def models(gateway: AgentParts) -> Json:
    """The adapters in service and their toolsets; any of the ids is a `model`."""
    ids = {"auto": None}
    for active in gateway.active.all:
        ids |= dict.fromkeys((active.adapter.name, active.toolset, active.adapter.version))
    return Json({"object": "list", "data": [_model(name) for name in ids]})


@router.get("/v1/models/{name}", response_model=ServedModel, responses=openai_problems(404))
async def model(name: str, gateway: AgentParts) -> Json:
    """One of the ids, as listed; some clients look a model up before they ask it."""
    gateway.active.resolve(name)
    return Json(_model(name))


def headers_of(begun: Begun) -> dict[str, str]:
    """What our headers say of an answer: who gives it, what the router said, and drift."""
    headers = {"X-Pointsman-Path": begun.path}
    if begun.outcome is not None:
        headers["X-Pointsman-Outcome"] = begun.outcome
    if begun.drift_header is not None:
        headers["X-Pointsman-Drift"] = begun.drift_header
    return headers


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "pointsman"}


async def _begin(gateway: Parts, turn: Turn) -> tuple[Begun, str | Answer | None, Answer | None]:
    """An answer that began: its first piece if it is streamed, else the whole of it.

    Until the first piece is there an error still has its status.
    """
    begun = await gateway.assistant.begin(turn)
    if turn.stream:
        return begun, await anext(begun.pieces), None
    return begun, None, await begun.whole()


async def _chunks(
    begun: Begun, first: str | Answer | None, completion: Completion
) -> AsyncGenerator[dict[str, Any]]:
    yield completion.first(isinstance(first, str))
    async with aclosing(begun.pieces) as pieces:
        piece = first
        while piece is not None:
            if isinstance(piece, str):
                yield completion.text(piece)
            else:
                for chunk in completion.last(piece):
                    yield chunk
            piece = await anext(pieces, None)
