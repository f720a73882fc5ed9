"""Asks the person behind an agent's request whether calls may run: elicitation, in both eras.

In the handshake era the question goes out on the stream of the request, which waits for it. In the
2026-07-28 revision the request is answered with the question and comes again with the person's
answer, and the question's id as its `requestState`. Either way what runs is what was shown.
"""

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp.types import (
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
)
from prometheus_client import Counter
from pydantic import ValidationError

from gateway.approval import OwnedCall, Step
from gateway.errors import ApprovalAsked, InvalidArguments, NotApproved
from gateway.faces.mcp.agent import AgentRequest
from gateway.types import Call

KEY = "approval"
"""What the question is called among the inputs that a request has to bring."""
_MAX_SHOWN = 100_000
"""Characters. Nobody reads more, and what waits is kept in memory."""

_SCHEMA = {
    "type": "object",
    "properties": {
        "approve": {
            "type": "boolean",
            "title": "Run it",
            "description": "Yes runs it once, exactly as shown. No runs nothing.",
        }
    },
    "required": ["approve"],
}


@dataclass(frozen=True)
class Question:
    """What a person was asked. `request` is the agent's own call; `told` what a route said of it.

    One that was `approved` already, and whose server then asked for more, holds the server's state.
    """

    id: str
    text: str
    calls: tuple[OwnedCall, ...]
    request: str = ""
    told: Mapping[str, Any] | None = None
    approved: bool = False
    server_state: Any = None


class Consent:
    """The consent to the calls of one request; an `Approver`."""

    def __init__(
        self, request: AgentRequest, steps: Counter, question: Question | None = None
    ) -> None:
        """`question` is the one that the request comes back from; `steps` counts."""
        self.question = question
        self.step: Step | None = None
        self._request = request
        self._steps = steps
        # What answers our question is nothing that a server has asked for.
        self._given = dict(request.answers)
        if question is not None:
            self.step = "approved" if question.approved else "asked"
            request.answers = _forwarded(question, self._given)

    @property
    def approval(self) -> str | None:
        """The id of the question."""
        return self.question.id if self.question is not None else None

    async def approve(self, calls: Sequence[OwnedCall]) -> None:
        """Ask, or take the answer that the request brings. Raises NotApproved, ApprovalAsked."""
        if self.question is None:
            await self._ask(Question(f"mcpa_{uuid.uuid4().hex}", text_of(calls), tuple(calls)))
        elif self.question.calls != tuple(calls):
            raise NotApproved(
                f"{_names(calls)} changed since a person was asked; nothing was called. "
                "Call again, and a person is asked about it as it is now"
            )
        elif not self.question.approved:
            responses = self._given.get("inputResponses")
            self._judge(responses.get(KEY) if isinstance(responses, Mapping) else None)

    async def _ask(self, question: Question) -> None:
        names = _names(question.calls)
        if not self._request.can_elicit:
            raise NotApproved(
                f"{names} runs only after a person approved the call; nothing was called. This "
                "client cannot ask one: it declares no elicitation (form mode). Call from a client "
                "that does, or through POST /v1/responses and answer its approval request"
            )
        self.question = question
        self._tell("asked")
        if self._request.modern:
            raise ApprovalAsked(f"a person is asked whether {names} may run")
        params = _form(question).model_dump(by_alias=True, mode="json", exclude={"mode"})
        params = {key: value for key, value in params.items() if value is not None}
        try:
            answer = await self._request.ask("elicitation/create", params)
        except MCPError as exc:
            raise NotApproved(
                f"{names} runs only after a person approved the call; nothing was called. "
                f"The client could not ask one: {exc.message}"
            ) from exc
        self._judge(answer)

    def _judge(self, answer: Any) -> None:
        assert self.question is not None
        try:
            found = ElicitResult.model_validate(answer, by_name=False)
        except ValidationError as exc:
            raise NotApproved(
                "the answer to the question for approval is no result of an elicitation; nothing "
                "was called. Call again and answer it"
            ) from exc
        if found.action == "accept" and (found.content or {}).get("approve") is True:
            self._tell("approved")
            return
        self._tell("denied")
        raise NotApproved(
            f"the user did not approve {_names(self.question.calls)} ({_said(found)}); nothing was "
            "called. To run it, call again and have the user accept"
        )

    def _tell(self, step: Step) -> None:
        self.step = step
        self._steps.labels(step).inc()


def asking(question: Question) -> InputRequiredResult:
    """The answer to a request of the 2026-07-28 revision that a person is asked about."""
    request = ElicitRequest(params=_form(question))
    return InputRequiredResult(input_requests={KEY: request}, request_state=question.id)


def identity(call: Call) -> str:
    """The same for the same call alone; to Python, `true` and 1 would be the same too."""
    text = json.dumps([call.tool, call.arguments], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def text_of(calls: Sequence[OwnedCall]) -> str:
    """What a person reads: every tool, its server, and the arguments whole.

    Raises:
        InvalidArguments: they are nested too deeply, or too long, to be shown.
    """
    if len(calls) == 1:
        return f"May {_shown(calls[0])}"
    numbered = (f"{number}. {_shown(each)}" for number, each in enumerate(calls, 1))
    return "\n\n".join([f"May these {len(calls)} calls run, in this order?", *numbered])


def _shown(owned: OwnedCall) -> str:
    call = owned.call
    try:
        arguments = _plain(json.dumps(call.arguments, indent=2, ensure_ascii=False))
    except RecursionError as exc:
        raise _not_shown(call, "nested too deeply") from exc
    if len(arguments) > _MAX_SHOWN:
        raise _not_shown(call, f"too long ({len(arguments)} characters, {_MAX_SHOWN} at most)")
    head = f"{call.tool} run on server {owned.server}, with these arguments?"
    return f"{_plain(head)}\n{arguments}"


def _not_shown(call: Call, why: str) -> InvalidArguments:
    error = {"pointer": "", "message": f"they are {why} to be shown to the person who must approve"}
    return InvalidArguments(call.tool, [error])


def _plain(text: str) -> str:
    """Without characters that hide or turn around what stands there; still the same JSON."""
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def _names(calls: Sequence[OwnedCall]) -> str:
    return ", ".join(dict.fromkeys(owned.call.tool for owned in calls))


def _said(answer: ElicitResult) -> str:
    if answer.action == "accept":
        return "the answer was no" if answer.content else "the answer was left empty"
    return "declined" if answer.action == "decline" else "dismissed without an answer"


def _form(question: Question) -> ElicitRequestFormParams:
    return ElicitRequestFormParams(message=question.text, requested_schema=_SCHEMA)


def _forwarded(question: Question, given: Mapping[str, Any]) -> dict[str, Any]:
    if not question.approved:
        return {}
    state = {} if question.server_state is None else {"requestState": question.server_state}
    responses = {key: given[key] for key in ("inputResponses",) if key in given}
    return {**responses, **state}
