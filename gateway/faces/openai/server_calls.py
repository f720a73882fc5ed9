"""The calls of one response to registered servers: which there may be, whether a person has to
approve them, and what comes of them. The rounds stand above; the pipeline stands below.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gateway.approval import Approved, Waiting
from gateway.errors import BadRequest, Conflict, PointsmanError
from gateway.faces.openai import items as written
from gateway.faces.openai.items import Item
from gateway.faces.openai.mcp_tool import Offer
from gateway.faces.parts import Parts
from gateway.turn import Answer
from gateway.types import Call


@dataclass(frozen=True, slots=True)
class Plan:
    """What follows from an answer: calls to make now, each with the id of the request by which it
    was approved, and items that are the agent's turn, so that the response ends with them."""

    calls: Sequence[tuple[Call, str | None]] = ()
    items: Sequence[Item] = ()


@dataclass(frozen=True, slots=True)
class ServerCalls:
    """`offers` are the tools of servers, by server and name."""

    gateway: Parts
    offers: Mapping[str, Mapping[str, Offer]]

    def offer(self, call: Call) -> Offer | None:
        """The offer of a call's tool; None if the tool is the agent's own."""
        for tools in self.offers.values():
            if call.tool in tools:
                return tools[call.tool]
        return None

    def listings(self, items: Sequence[Item]) -> Iterator[Item]:
        """The lists of tools that a conversation does not have yet."""
        listed = {i.get("server_label") for i in items if i.get("type") == "mcp_list_tools"}
        for label, tools in self.offers.items():
            if label not in listed:
                yield written.listing_item(label, [offer.entry.tool for offer in tools.values()])

    def answered(self, answers: Sequence[Item]) -> Sequence[Waiting]:
        """The calls that items approve or deny, in their order; none can be answered once more.

        Raises:
            BadRequest, NotFound, Conflict: an item is malformed, answers no call that waits, or
                approves one of a tool that has changed.
        """
        waiting = [self._waiting(answer) for answer in answers]
        ids = [each.id for each in waiting]
        if len(set(ids)) < len(ids):
            raise BadRequest("an approval request is answered twice")
        for answer, each in zip(answers, waiting, strict=True):
            self.gateway.approvals.take(each.id)
            step = "approved" if answer["approve"] else "denied"
            self.gateway.metrics.chats.approvals.labels(step).inc()
        return waiting

    def planned(self, answer: Answer) -> Plan:
        """Calls to servers are made now, unless one of them waits for approval, and so do all."""
        ours: list[tuple[Call, Offer]] = []
        agents: list[Item] = []
        for call, id in zip(answer.calls, answer.ids, strict=True):
            offer = self.offer(call)
            if offer is not None:
                ours.append((call, offer))
            else:
                agents.append(written.function_item(call, id))
        if not any(offer.waits for _, offer in ours):
            return Plan([(call, None) for call, _ in ours], agents)
        return Plan(items=[*(self._request(call, offer) for call, offer in ours), *agents])

    def begun(self, call: Call, approval: str | None) -> Item:
        """The item of a call that is about to be made."""
        offer = self.offer(call)
        assert offer is not None  # no other call is planned
        return written.begun_mcp_call(offer.entry.server, call, approval)

    async def made(self, begun: Item, call: Call, approval: str | None) -> tuple[Item, bool]:
        """Make a call: its item, which tells what it failed with, and whether it did. A tool that
        answers with an error has not failed: see the dispatcher."""
        try:
            approver = Approved(approval) if approval else None
            pipeline = self.gateway.pipeline
            result = await pipeline.call(call, "responses", approver, proposed=True)
        except PointsmanError as exc:
            return written.mcp_call_item(begun, None, str(exc)), True
        text = written.text_of(result)
        output, error = (None, text or "failed") if result.is_error else (text, None)
        return written.mcp_call_item(begun, output, error), False

    def _waiting(self, item: Item) -> Waiting:
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

    def _request(self, call: Call, offer: Offer) -> Item:
        entry = offer.entry
        waiting = self.gateway.approvals.ask(entry.server, entry.fingerprint, call)
        self.gateway.metrics.chats.approvals.labels("asked").inc()
        return written.approval_item(waiting)
