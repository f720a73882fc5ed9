"""`POST /v1/responses`: OpenAI's Responses API, in the foreground.

With the tool `mcp` of a registered server the gateway makes the calls itself; calls to the agent's
own tools are answered as in Chat Completions. Conversations are kept for a while, unless `store`
is false, so that `previous_response_id` can go on with one.
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from gateway.adapters.active import Active
from gateway.choice import Choice
from gateway.drift import DriftGrade
from gateway.errors import BadRequest
from gateway.faces.description import openai_problems
from gateway.faces.openai.answers import ANSWER_HEADERS, EVENTS, ResponseObject
from gateway.faces.openai.chat import choice_of
from gateway.faces.openai.errors import OpenAiRoute, Unsupported
from gateway.faces.openai.events import event_stream, while_connected
from gateway.faces.openai.history import newest
from gateway.faces.openai.items import Item
from gateway.faces.openai.mcp_tool import McpTool, Offer, offers
from gateway.faces.openai.messages import OfferedFunction
from gateway.faces.openai.response_events import ResponseEvents
from gateway.faces.openai.response_states import ResponseStates
from gateway.faces.openai.rounds import MAX_CALLS, Closed, Rounds, Step
from gateway.faces.openai.server_calls import ServerCalls
from gateway.faces.parts import Parts, agent
from gateway.faces.response import Json
from gateway.turn import Turn

router = APIRouter(route_class=OpenAiRoute)
AgentParts = Annotated[Parts, Depends(agent)]
Offers = Mapping[str, Mapping[str, Offer]]


class FunctionTool(OfferedFunction):
    """A member of `tools` with the type `function`, which here has no level of its own."""

    type: Literal["function"]
    strict: bool | None = None


OfferedTool = Annotated[FunctionTool | McpTool, Field(discriminator="type")]


class ResponsesBody(BaseModel):
    """Body of `POST /v1/responses`: what can be honoured, and what must be refused."""

    model: str = "auto"
    input: str | list[dict[str, Any]]
    instructions: str | None = None
    tools: list[OfferedTool] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    previous_response_id: str | None = None
    max_tool_calls: Annotated[int, Field(ge=1)] | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    metadata: dict[str, str] | None = None
    store: bool | None = None
    user: str | None = None
    text: dict[str, Any] | None = None
    background: bool | None = None
    stream: bool | None = None
    conversation: Any = None
    prompt: Any = None

    def refuse_unsupported(self) -> None:
        """Raises Unsupported naming the first setting that cannot be honoured."""
        for name in ("background", "conversation", "prompt"):
            if getattr(self, name):
                raise Unsupported(name, f"{name} is not supported")
        if (self.text or {}).get("format") not in (None, {"type": "text"}):
            raise Unsupported("text.format", "text.format must be text: the router writes calls")

    @property
    def told(self) -> dict[str, Any]:
        """What a response tells back of them."""
        return {
            "instructions": self.instructions,
            "max_output_tokens": self.max_output_tokens,
            "metadata": self.metadata or {},
            "parallel_tool_calls": self.parallel_tool_calls is not False,
            "previous_response_id": self.previous_response_id,
            "store": self.store is not False,
            "temperature": self.temperature,
            "tool_choice": self.tool_choice or "auto",
            "tools": [tool.model_dump(exclude_none=True) for tool in self.tools or ()],
            "top_p": self.top_p,
            "user": self.user,
        }

    @property
    def new_items(self) -> list[Item]:
        """The input as items."""
        if isinstance(self.input, str):
            return [{"type": "message", "role": "user", "content": self.input}]
        return list(self.input)

    @property
    def choice(self) -> Choice:
        """Which tools may be called. Raises Unsupported."""
        value = self.tool_choice
        if isinstance(value, dict) and value.get("type") in ("function", "mcp"):
            value = {"type": "function", "function": {"name": value.get("name")}}
        return choice_of(value, self.parallel_tool_calls)

    def turn(self, active: Active, found: Offers, withheld: frozenset[DriftGrade]) -> Turn:
        """What is asked, but for its messages. Raises BadRequest.

        Tools of servers that the adapter serves are routed as ever, with drift and all. Beside
        tools of the agent, or from elsewhere, they are offered like the agent's own; one that
        drifted is left out then, because nothing else would withhold its calls.
        """
        own = [tool.tool for tool in self.tools or () if isinstance(tool, FunctionTool)]
        served = [offer.entry.tool for tools in found.values() for offer in tools.values()]
        names = frozenset(tool.name for tool in served)
        double = sorted(names & {tool.name for tool in own})
        if double:
            raise BadRequest(f"tool {double[0]!r} is offered twice, by the agent and by a server")
        tools = only = None
        if self.tools is not None:
            live = active.live.by_name if active.live else {}
            if served and not own and names <= live.keys():
                only = names
            else:
                masked = {n for n in names if active.drift.grade_of(n) in withheld}
                tools = (*own, *(tool for tool in served if tool.name not in masked))
        settings = {"temperature": self.temperature, "top_p": self.top_p, "user": self.user}
        settings["max_completion_tokens"] = self.max_output_tokens
        return Turn(
            face="responses",
            model=self.model,
            messages=(),
            spoken=(),
            tools=tools,
            only=only,
            choice=self.choice,
            settings={key: value for key, value in settings.items() if value is not None},
            stream=bool(self.stream),
        )


@router.post(
    "/v1/responses",
    response_model=ResponseObject,
    responses={
        200: {"headers": ANSWER_HEADERS, "content": EVENTS},
        **openai_problems(404, 409, 422, 502, 503, 504),
    },
)
async def responses(body: ResponsesBody, request: Request, gateway: AgentParts) -> Response:
    """Answer a conversation, making the calls to registered servers on the way."""
    body.refuse_unsupported()
    rounds = _rounds(body, gateway, request.headers.get("x-conversation-id"))
    approvals = [i for i in newest(rounds.items) if i.get("type") == "mcp_approval_response"]
    steps = rounds.steps(approvals)
    states = ResponseStates(body.told)

    def keep() -> None:
        if body.store is not False:
            gateway.conversations.keep(states.id, rounds.items)

    if body.stream:
        first = await while_connected(request, _first(steps))
        events = ResponseEvents(states, rounds)
        told = _told(events, first, steps, keep)
        return event_stream(told, rounds.headers, failed=events.failed, end=b"")
    await while_connected(request, _all(steps))
    keep()
    return Json(states.ended(rounds), headers=rounds.headers)


def _rounds(body: ResponsesBody, gateway: Parts, conversation: str | None) -> Rounds:
    """What is to be done. Raises as the body, the conversation and the offers do."""
    before = body.previous_response_id
    earlier = gateway.conversations.get(before) if before is not None else ()
    wanted = [tool for tool in body.tools or () if isinstance(tool, McpTool)]
    found = offers(wanted, gateway.watch, gateway.config.approval)
    active = gateway.active.resolve(body.model)
    turn = body.turn(active, found, gateway.active.withheld(active))
    return Rounds(
        gateway=gateway,
        items=[*earlier, *body.new_items],
        servers=ServerCalls(gateway, found),
        turn=replace(turn, conversation=conversation),
        instructions=body.instructions,
        max_calls=min(body.max_tool_calls or MAX_CALLS, MAX_CALLS),
        model=active.adapter.version,
    )


async def _first(steps: AsyncGenerator[Step]) -> list[Step]:
    """The steps up to the first that is no list of tools; until then an error has its status."""
    first: list[Step] = []
    async for step in steps:
        first.append(step)
        if not isinstance(step, Closed) or step.item["type"] != "mcp_list_tools":
            break
    return first


async def _told(
    events: ResponseEvents,
    first: Sequence[Step],
    steps: AsyncGenerator[Step],
    keep: Callable[[], None],
) -> AsyncGenerator[dict[str, Any]]:
    for event in events.begun():
        yield event
    for step in first:
        for event in events.of(step):
            yield event
    async with aclosing(steps):
        async for step in steps:
            for event in events.of(step):
                yield event
    keep()
    for event in events.ended():
        yield event


async def _all(steps: AsyncGenerator[Step]) -> None:
    async for _ in steps:
        pass
