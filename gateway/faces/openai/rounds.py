"""The rounds of one response: answers, and the calls between them, until nothing is left to do.

Calls to registered servers are made here, those to the agent's own tools are for the agent. If one
call of an answer has to be approved, none of its calls to servers runs before it is; if one fails,
those behind it are not made. Every call is checked by the pipeline again and recorded there.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from pydantic import ValidationError

from gateway.choice import Choice
from gateway.dispatch import NOT_MADE
from gateway.errors import BadRequest
from gateway.faces.openai import items as written
from gateway.faces.openai.chat import headers_of
from gateway.faces.openai.history import chat_messages
from gateway.faces.openai.items import Item
from gateway.faces.openai.messages import ChatMessage, as_sent, in_our_words
from gateway.faces.openai.server_calls import Plan, ServerCalls
from gateway.faces.parts import Parts
from gateway.turn import Answer, Begun, Turn
from gateway.types import Usage

MAX_CALLS = 16


@dataclass(frozen=True, slots=True)
class Opened:
    """An item that has begun: words that are being written, or a call that is being made."""

    item: Item


@dataclass(frozen=True, slots=True)
class Closed:
    """An item that is whole. It was opened before, with the same id, if it takes a while."""

    item: Item


Step = Opened | Closed | str
"""What happens in a response; a text is a piece of the message that is open."""


@dataclass
class Rounds:
    """`items` is the conversation so far; `output` what this response adds to it. `turn` is what
    is asked, but for its messages; `headers` tell of the first round. `binding`: a call was made,
    or a person's answer used up, so that who asks again does not get the same."""

    gateway: Parts
    items: list[Item]
    servers: ServerCalls
    turn: Turn
    instructions: str | None = None
    max_calls: int = MAX_CALLS
    output: list[Item] = field(default_factory=list[Item])
    usage: Usage = field(default_factory=Usage)
    model: str = ""
    finish: str = "stop"
    headers: dict[str, str] = field(default_factory=dict[str, str])
    binding: bool = False

    def approved(self, approvals: Sequence[Item]) -> Plan:
        """What follows from the items that approve or deny calls, none of them used yet.

        Raises:
            BadRequest: the conversation is malformed; no approval is used up.
            NotFound, Conflict: an approval is for no call that waits, or for a changed tool.
        """
        self._messages()
        answered = self.servers.answered(approvals)
        known = {item.get("id") for item in self.items}
        for each in answered:
            if each.id not in known:
                self.items.insert(0, written.approval_item(each))
        if answered:
            self._bind()
        pairs = zip(approvals, answered, strict=True)
        return Plan([(each.call, each.id) for item, each in pairs if item["approve"]])

    async def steps(self, plan: Plan) -> AsyncGenerator[Step]:
        """Carry the plan out, answer, and tell what happens when it does.

        Raises:
            PointsmanError: as the assistant. What a call to a server fails with is an item.
        """
        for item in self.servers.listings(self.items):
            yield self._closed(item)
        left = self.max_calls
        while True:
            failed = False
            for call, approval in plan.calls:
                begun = self.servers.begun(call, approval)
                yield Opened(begun)
                if failed:
                    yield self._closed(written.mcp_call_item(begun, None, NOT_MADE))
                    continue
                self._bind()
                item, failed = await self.servers.made(begun, call, approval)
                yield self._closed(item)
            for item in plan.items:
                yield self._closed(item)
            if plan.items:
                return
            async with aclosing(self._answer(left)) as pieces:
                async for piece in pieces:
                    if not isinstance(piece, Answer):
                        yield piece
                    elif not piece.calls:
                        return
                    else:
                        plan = self.servers.planned(piece)
            left -= len(plan.calls)

    def _bind(self) -> None:
        self.binding = True
        choice = self.turn.choice
        if choice.mode == "required":
            # The call that was required is being made, or a person did not want it.
            self.turn = replace(self.turn, choice=Choice("auto", None, choice.several))

    async def _answer(self, left: int) -> AsyncGenerator[Step | Answer]:
        """The words of an answer as they come, and the answer last, with at most `left` calls to
        servers."""
        begun = await self._begin()
        message: Item | None = None
        async with aclosing(begun.pieces) as pieces:
            async for piece in pieces:
                if isinstance(piece, str):
                    if message is None:
                        message = written.begun_message()
                        yield Opened(message)
                    yield piece
                    continue
                answer = self._bounded(piece, left)
                self.usage += answer.usage
                self.model = answer.model
                self.finish = answer.finish
                if message is not None or answer.text is not None or not answer.calls:
                    message = message or written.begun_message()
                    yield self._closed(written.message_item(message, answer))
                yield answer

    async def _begin(self) -> Begun:
        messages = self._messages()
        if not messages:
            raise BadRequest("the input is empty")
        if self.instructions is not None:
            messages.insert(0, ChatMessage(role="system", content=self.instructions))
        turn = replace(self.turn, messages=in_our_words(messages), spoken=as_sent(messages))
        begun = await self.gateway.assistant.begin(turn)
        self.headers = self.headers or headers_of(begun)
        self.model = begun.model
        return begun

    def _messages(self) -> list[ChatMessage]:
        """The conversation so far. Raises BadRequest for what is none."""
        try:
            messages = [ChatMessage.model_validate(sent) for sent in chat_messages(self.items)]
        except ValidationError as exc:
            error = exc.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in error["loc"])
            raise BadRequest(f"an input item's {where}: {error['msg']}") from exc
        in_our_words(messages)
        return messages

    def _bounded(self, answer: Answer, left: int) -> Answer:
        if sum(self.servers.offer(call) is not None for call in answer.calls) <= left:
            return answer
        reason = f"no more than {self.max_calls} calls are made for one response"
        return replace(answer, calls=(), ids=(), refusal=reason)

    def _closed(self, item: Item) -> Closed:
        self.output.append(item)
        self.items.append(item)
        return Closed(item)
