"""The rounds of one response: answers, and the calls between them, until nothing is left to do.

Calls to registered servers are made here, those to the agent's own tools are for the agent. If one
call of an answer has to be approved, none of its calls to servers runs before it is. Every call is
checked by the pipeline again and recorded there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pydantic import ValidationError

from gateway.approval import Approved, Waiting
from gateway.assistant import Answer, Turn
from gateway.choice import Choice
from gateway.errors import BadRequest, Conflict, PointsmanError
from gateway.faces.openai import items as written
from gateway.faces.openai.chat import headers_of
from gateway.faces.openai.items import Item
from gateway.faces.openai.mcp_tool import Offer
from gateway.faces.openai.messages import ChatMessage, as_sent, in_our_words
from gateway.faces.parts import Parts
from gateway.types import Call, Usage

MAX_CALLS = 16


@dataclass
class Rounds:
    """`items` is the conversation so far; `output` what this response adds to it. `offers` are
    the tools of servers by server, `turn` is what is asked, but for its messages; `headers` tell
    of the first round."""

    gateway: Parts
    items: list[Item]
    offers: Mapping[str, Mapping[str, Offer]]
    turn: Turn
    instructions: str | None = None
    max_calls: int = MAX_CALLS
    output: list[Item] = field(default_factory=list[Item])
    usage: Usage = field(default_factory=Usage)
    model: str = ""
    finish: str = "stop"
    headers: dict[str, str] = field(default_factory=dict[str, str])

    async def run(self, approvals: Sequence[Item]) -> None:
        """Answer; `approvals` are the items that approve or deny calls, none of them used yet.

        Raises:
            NotFound, Conflict: an approval is for no call that waits, or for a changed tool.
            PointsmanError: as the assistant. What a call to a server fails with is an item.
        """
        self._messages()  # a malformed conversation is refused before any call runs
        self._list()
        await self._approved(approvals)
        made = 0
        while True:
            answer = await self._answer()
            ours = [call for call in answer.calls if self._offer(call) is not None]
            if not answer.calls or made + len(ours) > self.max_calls:
                self._add(written.message_item(self._last(answer)))
                return
            pairs = zip(answer.calls, answer.ids, strict=True)
            agents = [(call, id) for call, id in pairs if self._offer(call) is None]
            waiting = self._ask(ours)
            if not waiting:
                for call in ours:
                    await self._call(call)
            for call, id in agents:
                self._add(written.function_item(call, id))
            if agents or waiting:
                return
            made += len(ours)
            # The call that was required has been made.
            choice = Choice("auto", None, self.turn.choice.several)
            self.turn = replace(self.turn, choice=choice)

    def _list(self) -> None:
        listed = {i.get("server_label") for i in self.items if i.get("type") == "mcp_list_tools"}
        for label, tools in self.offers.items():
            if label not in listed:
                shown = [offer.entry.tool for offer in tools.values()]
                self._add(written.listing_item(label, shown))

    async def _approved(self, approvals: Sequence[Item]) -> None:
        waiting = [self._waiting(item) for item in approvals]
        ids = [each.id for each in waiting]
        if len(set(ids)) < len(ids):
            raise BadRequest("an approval request is answered twice")
        for each in waiting:
            self.gateway.approvals.take(each.id)
        known = {item.get("id") for item in self.items}
        for item, each in zip(approvals, waiting, strict=True):
            if each.id not in known:
                self.items.insert(0, written.approval_item(each))
            step = "approved" if item["approve"] else "denied"
            self.gateway.metrics.chats.approvals.labels(step).inc()
        for item, each in zip(approvals, waiting, strict=True):
            if item["approve"]:
                await self._call(each.call, each.id)

    def _waiting(self, item: Item) -> Waiting:
        """The call that an item approves or denies. Raises NotFound, BadRequest, Conflict."""
        id, approve = item.get("approval_request_id"), item.get("approve")
        if not isinstance(id, str) or not isinstance(approve, bool):
            raise BadRequest("an mcp_approval_response needs approval_request_id and approve")
        waiting = self.gateway.approvals.get(id)
        offer = self.offers.get(waiting.server, {}).get(waiting.call.tool)
        if approve and offer is None:
            raise BadRequest(
                f"{waiting.call.tool} of server {waiting.server} is not among the tools"
            )
        if approve and offer and offer.entry.fingerprint != waiting.fingerprint:
            raise Conflict(f"{waiting.call.tool} has changed since its approval was asked for")
        return waiting

    async def _answer(self) -> Answer:
        messages = self._messages()
        if not messages:
            raise BadRequest("the input is empty")
        if self.instructions is not None:
            messages.insert(0, ChatMessage(role="system", content=self.instructions))
        turn = replace(self.turn, messages=in_our_words(messages), spoken=as_sent(messages))
        begun = await self.gateway.assistant.begin(turn)
        self.headers = self.headers or headers_of(begun)
        answer = await begun.whole()
        self.usage += answer.usage
        self.model = answer.model
        self.finish = answer.finish
        return answer

    def _messages(self) -> list[ChatMessage]:
        """The conversation so far. Raises BadRequest for what is none."""
        try:
            sent = written.chat_messages(self.items)
            messages = [ChatMessage.model_validate(message) for message in sent]
        except ValidationError as exc:
            error = exc.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in error["loc"])
            raise BadRequest(f"an input item's {where}: {error['msg']}") from exc
        in_our_words(messages)
        return messages

    def _last(self, answer: Answer) -> Answer:
        if not answer.calls:
            return answer
        reason = f"no more than {self.max_calls} calls are made for one response"
        return replace(answer, calls=(), ids=(), refusal=reason)

    def _offer(self, call: Call) -> Offer | None:
        for tools in self.offers.values():
            if call.tool in tools:
                return tools[call.tool]
        return None

    def _ask(self, calls: Sequence[Call]) -> bool:
        """Whether the calls have to wait; then an approval is asked for each."""
        found = [(call, offer) for call in calls if (offer := self._offer(call)) is not None]
        if not any(offer.waits for _, offer in found):
            return False
        for call, offer in found:
            entry = offer.entry
            waiting = self.gateway.approvals.ask(entry.server, entry.fingerprint, call)
            self.gateway.metrics.chats.approvals.labels("asked").inc()
            self._add(written.approval_item(waiting))
        return True

    async def _call(self, call: Call, approval: str | None = None) -> None:
        offer = self._offer(call)
        assert offer is not None  # only offered calls come here
        output = error = None
        try:
            approver = Approved(approval) if approval else None
            pipeline = self.gateway.pipeline
            result = await pipeline.call(call, "responses", approver, proposed=True)
            text = written.text_of(result)
            output, error = (None, text or "failed") if result.is_error else (text, None)
        except PointsmanError as exc:
            error = str(exc)
        self._add(written.mcp_call_item(offer.entry.server, call, output, error, approval))

    def _add(self, item: Item) -> None:
        self.output.append(item)
        self.items.append(item)
