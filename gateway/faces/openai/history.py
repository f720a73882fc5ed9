"""The items of a Responses conversation, read: what they are as messages of Chat Completions. Pure.

Item types and members are those of OpenAI's API reference for Responses. What an agent may send
back to us includes everything that we send to it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gateway.errors import BadRequest
from gateway.faces.openai.items import Item

_SILENT = frozenset({"mcp_list_tools", "mcp_approval_request", "reasoning"})
_MADE = _SILENT | {"mcp_call", "function_call"}


def newest(items: Sequence[Item]) -> Sequence[Item]:
    """The items behind the last one that an assistant made: what is new in a conversation."""
    for index in range(len(items) - 1, -1, -1):
        if _kind(items[index]) in _MADE or items[index].get("role") == "assistant":
            return items[index + 1 :]
    return items


def chat_messages(items: Sequence[Item]) -> Iterator[Item]:
    """The conversation in the form of Chat Completions. Calls that follow each other are one turn,
    with the words right before them.

    Raises:
        BadRequest: an item is of a type that is not known, lacks a member, or has one of a type
            that it cannot have.
    """
    requests = {item.get("id"): item for item in items if _kind(item) == "mcp_approval_request"}
    turn = _Turn()
    for index, item in enumerate(items):
        try:
            made, told = _of_item(item, requests)
        except KeyError as exc:
            raise BadRequest(f"input[{index}] lacks {exc}") from exc
        except TypeError as exc:
            why = "a member is of the wrong type; content is a text, or a list of parts"
            raise BadRequest(f"input[{index}]: {why}") from exc
        if made is not None:
            if turn.results and _kind(item) == "function_call":
                yield from turn.messages()
                turn = _Turn()
            turn.calls.append(made)
        if told is None:
            continue
        if told["role"] == "tool":
            turn.results.append(told)
            continue
        yield from turn.messages()
        turn = _Turn()
        if told["role"] == "assistant":
            turn.words = told
        else:
            yield told
    yield from turn.messages()


class _Turn:
    """What an assistant said and called, and what came of it."""

    def __init__(self) -> None:
        self.words: Item | None = None
        self.calls: list[Item] = []
        self.results: list[Item] = []

    def messages(self) -> Iterator[Item]:
        said = self.words or {"role": "assistant", "content": None}
        if self.calls:
            yield {**said, "tool_calls": self.calls}
        elif self.words is not None:
            yield said
        yield from self.results


def _of_item(item: Item, requests: Mapping[Any, Item]) -> tuple[Item | None, Item | None]:
    """The call that an item makes, and the message that it is."""
    kind = _kind(item)
    if kind == "message":
        return None, {"role": item["role"], "content": _content(item["content"])}
    if kind == "function_call":
        return _call(item["call_id"], item), None
    if kind == "function_call_output":
        return None, _result(item["call_id"], _content(item["output"]))
    if kind == "mcp_call":
        text = item.get("output") if item.get("error") is None else item["error"]
        return _call(item["id"], item), _result(item["id"], text or "")
    if kind == "mcp_approval_response":
        request = requests.get(item["approval_request_id"])
        if item["approve"] or request is None:
            return None, None
        why = f": {item['reason']}" if item.get("reason") else ""
        return _call(request["id"], request), _result(request["id"], f"not approved{why}")
    if kind in _SILENT:
        return None, None
    raise BadRequest(f"input items of type {kind!r} are not supported")


def _kind(item: Item) -> str:
    return item.get("type") or "message"


def _content(value: Any) -> Any:
    if isinstance(value, str):
        return value
    parts: list[Item] = []
    for part in value:
        if part["type"] not in ("input_text", "output_text", "refusal"):
            raise BadRequest("the input may hold text alone")
        parts.append({"type": "text", "text": part.get("text") or part.get("refusal") or ""})
    return parts if len(parts) != 1 else parts[0]["text"]


def _call(id: str, item: Item) -> Item:
    function = {"name": item["name"], "arguments": item["arguments"]}
    return {"id": id, "type": "function", "function": function}


def _result(id: str, text: Any) -> Item:
    return {"role": "tool", "tool_call_id": id, "content": text}
