"""`POST /v1/responses`: OpenAI's Responses API, in the foreground.

With the tool `mcp` of a registered server the gateway makes the calls itself; calls to the agent's
own tools are answered as in Chat Completions. Conversations are kept for a while, unless `store`
is false, so that `previous_response_id` can go on with one.
"""

from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from gateway.errors import PointsmanError
from gateway.faces.description import openai_problems
from gateway.faces.openai.answers import ANSWER_HEADERS, EVENTS, ResponseObject
from gateway.faces.openai.errors import ClientGone, OpenAiRoute, body_of
from gateway.faces.openai.events import event_stream, while_connected
from gateway.faces.openai.history import newest
from gateway.faces.openai.mcp_tool import McpTool, offers
from gateway.faces.openai.response_body import ResponsesBody
from gateway.faces.openai.response_events import Event, ResponseEvents
from gateway.faces.openai.response_states import ResponseStates
from gateway.faces.openai.rounds import MAX_CALLS, Closed, Rounds, Step
from gateway.faces.openai.server_calls import ServerCalls
from gateway.faces.parts import Parts, agent
from gateway.faces.problem import note_unexpected
from gateway.faces.response import Json

router = APIRouter(route_class=OpenAiRoute)
AgentParts = Annotated[Parts, Depends(agent)]


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
    approvals = [i for i in newest(body.new_items) if i.get("type") == "mcp_approval_response"]
    steps = rounds.steps(rounds.approved(approvals))
    states = ResponseStates(body.told)

    def keep() -> None:
        if body.store is not False:
            gateway.conversations.keep(states.id, rounds.items)

    if body.stream:
        first = [] if rounds.binding else await while_connected(request, _first(steps))
        events = ResponseEvents(states, rounds)

        def failed(exc: Exception) -> Iterator[Event]:
            keep()
            yield from events.failed(exc)

        told = _told(events, first, steps, keep)
        return event_stream(told, rounds.headers, failed=failed, end=b"")
    whole = await _whole(request, steps, rounds, states)
    keep()
    return Json(whole, headers=rounds.headers)


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
    """The steps up to the first that is no list of tools: until something is told or binding, an
    error has its status."""
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
) -> AsyncGenerator[Event]:
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


async def _whole(
    request: Request, steps: AsyncGenerator[Step], rounds: Rounds, states: ResponseStates
) -> dict[str, Any]:
    """The response at its end.

    Once something is binding an error is a response that failed, as in a stream: clients ask again
    where they get an error's status, and a call that had run would run once more.
    """
    try:
        await while_connected(request, _all(steps))
    except ClientGone:
        raise
    except Exception as exc:
        if not rounds.binding:
            raise
        if not isinstance(exc, PointsmanError):
            note_unexpected(request, exc)
        return states.failed(rounds, body_of(exc)["error"])
    return states.ended(rounds)


async def _all(steps: AsyncGenerator[Step]) -> None:
    async for _ in steps:
        pass
