"""The tools that ask in rounds, as the 2026-07-28 revision does: the answer to a call is a
question, and the client calls again with the answers. State goes round with it; the server seals
it, so that a tool reads only what it wrote itself."""

from collections.abc import Mapping
from typing import Any

from mcp.types import (
    CallToolRequestParams,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitResult,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
    SamplingMessage,
    TextContent,
    Tool,
)

from tests.end_to_end.conformance.tools import Called, Ctx, form, plain, said

_NAME = form("What is your name?", name={"type": "string"})
_COLOUR = form("Which colour do you like?", color={"type": "string"})
_CONFIRM = form("Is that right?", ok={"type": "boolean"})
_ROOTS = ListRootsRequest()
_KINDS: Mapping[str, type[Any]] = {
    "elicitation/create": ElicitResult,
    "sampling/createMessage": CreateMessageResult,
    "roots/list": ListRootsResult,
}


def _sampling(text: str) -> CreateMessageRequest:
    message = SamplingMessage(role="user", content=TextContent(type="text", text=text))
    return CreateMessageRequest(
        params=CreateMessageRequestParams(messages=[message], max_tokens=50)
    )


def _asking(state: str | None = None, **questions: Any) -> Called:
    """Asks all questions at once, and again until each has an answer of its kind."""

    async def call(_: Ctx, params: CallToolRequestParams) -> Any:
        if not _answered(params, questions) or params.request_state != state:
            return InputRequiredResult(input_requests=questions, request_state=state)
        return said(f"state-ok, heard {sorted(questions)}" if state else "thank you")

    return call


def _answered(params: CallToolRequestParams, questions: Mapping[str, Any]) -> bool:
    given = params.input_responses or {}
    return all(isinstance(given.get(key), _KINDS[q.method]) for key, q in questions.items())


async def _steps(_: Ctx, params: CallToolRequestParams) -> Any:
    """Two questions, one after the other; the state tells which was asked."""
    if params.request_state == "colour asked" and _answered(params, {"colour": _COLOUR}):
        return said("both answered")
    if params.request_state == "name asked" and _answered(params, {"name": _NAME}):
        return InputRequiredResult(input_requests={"colour": _COLOUR}, request_state="colour asked")
    return InputRequiredResult(input_requests={"name": _NAME}, request_state="name asked")


async def _within_abilities(ctx: Ctx, params: CallToolRequestParams) -> Any:
    """Asks only what the client said it can answer."""
    can = ctx.session.client_capabilities
    questions: dict[str, Any] = {}
    if can is not None and can.elicitation is not None:
        questions["name"] = _NAME
    if can is not None and can.sampling is not None:
        questions["greeting"] = _sampling("Greet somebody.")
    if not questions or _answered(params, questions):
        return said("nothing more to ask")
    return InputRequiredResult(input_requests=questions)


def _tool(name: str, description: str) -> Tool:
    return plain(f"test_input_required_result_{name}", description)


ROUNDS: tuple[tuple[Tool, Called], ...] = (
    (_tool("elicitation", "Asks the user."), _asking(user_name=_NAME)),
    (_tool("sampling", "Asks the model."), _asking(capital_question=_sampling("What is it?"))),
    (_tool("list_roots", "Asks for the roots."), _asking(client_roots=_ROOTS)),
    (_tool("request_state", "Keeps its state there."), _asking("waiting", confirm=_CONFIRM)),
    (_tool("tampered_state", "Trusts no changed state."), _asking("sealed", confirm=_CONFIRM)),
    (_tool("multiple_inputs", "Asks three at once."),
     _asking("all three", user_name=_NAME, greeting=_sampling("Greet."), client_roots=_ROOTS)),
    (_tool("multi_round", "Asks twice."), _steps),
    (_tool("capabilities", "Asks what the client can answer."), _within_abilities),
    (plain("test_streaming_elicitation", "Asks on its stream."), _asking(user_name=_NAME)),
)  # fmt: skip
"""Each with what calls it."""
