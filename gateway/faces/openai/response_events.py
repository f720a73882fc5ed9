"""The events of a streamed response, as the Responses API has them.

Names and members are those of OpenAI's API reference. Words come as they are written; calls are
sent when they are whole and checked, so that their deltas are cut from what is known already.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.faces.openai.errors import body_of
from gateway.faces.openai.items import Item
from gateway.faces.openai.response_states import ResponseStates
from gateway.faces.openai.rounds import Closed, Opened, Rounds, Step

Event = dict[str, Any]


class ResponseEvents:
    """Writes the events of one response, and numbers them."""

    def __init__(self, states: ResponseStates, rounds: Rounds) -> None:
        self._states = states
        self._rounds = rounds
        self._number = 0
        self._index = 0  # of the item that is open, or else of the next
        self._open: Item | None = None
        self._worded = False  # whether the open message has had a piece of text

    def begun(self) -> Iterator[Event]:
        """The response has begun."""
        response = self._states.running(self._rounds)
        yield self._event("response.created", response=response)
        yield self._event("response.in_progress", response=response)

    def of(self, step: Step) -> Iterator[Event]:
        """What has happened within it."""
        match step:
            case Opened(item):
                yield from self._opened(item)
            case Closed(item):
                yield from self._closed(item)
            case _:
                yield from self._text(step)

    def ended(self) -> Iterator[Event]:
        """The response has come to its end."""
        response = self._states.ended(self._rounds)
        yield self._event(f"response.{response['status']}", response=response)

    def failed(self, exc: Exception) -> Iterator[Event]:
        """An error has ended it."""
        error = body_of(exc)["error"]
        told = {key: error[key] for key in ("code", "message", "param")}
        yield self._event("error", **told)
        response = self._states.failed(self._rounds, error)
        yield self._event("response.failed", response=response)

    def _opened(self, item: Item) -> Iterator[Event]:
        self._open, self._worded = item, False
        added = {"output_index": self._index, "item": _begun(item)}
        yield self._event("response.output_item.added", **added)
        kind = item["type"]
        if kind in ("mcp_call", "mcp_list_tools"):
            yield self._of_item(f"response.{kind}.in_progress")
        if kind in ("mcp_call", "function_call"):
            name, text = f"response.{kind}_arguments", item["arguments"]
            yield self._of_item(f"{name}.delta", delta=text)
            yield self._of_item(f"{name}.done", arguments=text)

    def _closed(self, item: Item) -> Iterator[Event]:
        if self._open is None:
            yield from self._opened(item)
        if item["type"] == "message":
            for index, part in enumerate(item["content"]):
                yield from self._part(index, part)
        elif item["type"] == "mcp_list_tools":
            yield self._of_item("response.mcp_list_tools.completed")
        elif item["type"] == "mcp_call":
            yield self._of_item(f"response.mcp_call.{item['status']}")
        yield self._event("response.output_item.done", output_index=self._index, item=item)
        self._open = None
        self._index += 1

    def _text(self, piece: str) -> Iterator[Event]:
        if not self._worded:
            self._worded = True
            yield self._added(0, {"type": "output_text", "text": "", "annotations": []})
        yield self._delta(0, "output_text", piece)

    def _part(self, index: int, part: Mapping[str, Any]) -> Iterator[Event]:
        """A part is done; what was not sent as it was written is sent now."""
        kind, key = part["type"], "text" if part["type"] == "output_text" else "refusal"
        if key == "refusal" or not self._worded:
            yield self._added(index, {**part, key: ""})
            if part[key]:
                yield self._delta(index, kind, part[key])
        done = {"content_index": index, key: part[key]}
        yield self._of_item(f"response.{kind}.done", **done, **_logprobs(kind))
        yield self._of_item("response.content_part.done", content_index=index, part=part)

    def _added(self, index: int, part: Mapping[str, Any]) -> Event:
        return self._of_item("response.content_part.added", content_index=index, part=part)

    def _delta(self, index: int, kind: str, piece: str) -> Event:
        members = {"content_index": index, "delta": piece, **_logprobs(kind)}
        return self._of_item(f"response.{kind}.delta", **members)

    def _of_item(self, type: str, **members: Any) -> Event:
        assert self._open is not None  # the rounds open an item before they write it
        place = {"item_id": self._open["id"], "output_index": self._index}
        return self._event(type, **place, **members)

    def _event(self, type: str, **members: Any) -> Event:
        event = {"type": type, "sequence_number": self._number, **members}
        self._number += 1
        return event


def _begun(item: Item) -> Item:
    """An item of which nothing is written yet."""
    match item["type"]:
        case "message":
            return {**item, "status": "in_progress", "content": []}
        case "mcp_list_tools":
            return {**item, "tools": []}
        case "mcp_call" | "function_call":
            return {**item, "status": "in_progress", "arguments": ""}
        case _:
            return item


def _logprobs(kind: str) -> Mapping[str, Any]:
    return {"logprobs": []} if kind == "output_text" else {}
