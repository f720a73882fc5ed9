"""The items of a Responses conversation: what they are as messages of Chat Completions, and the
items that we write. Pure.

Item types and members are those of OpenAI's API reference for Responses. What an agent may send
back to us includes everything that we send to it.
"""

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mcp.types import CallToolResult, TextContent, Tool

from gateway.approval import Waiting
from gateway.assistant import Answer
from gateway.errors import BadRequest
from gateway.types import Call

_SILENT = frozenset({"mcp_list_tools", "mcp_approval_request", "reasoning"})
_MADE = _SILENT | {"mcp_call", "function_call"}
Item = dict[str, Any]


def newest(items: Sequence[Item]) -> Sequence[Item]:
    """The items behind the last one that an assistant made: what is new in a conversation."""
    for index in range(len(items) - 1, -1, -1):
        if _kind(items[index]) in _MADE or items[index].get("role") == "assistant":
            return items[index + 1 :]
    return items


def chat_messages(items: Sequence[Item]) -> Iterator[Item]:
    """The conversation in the form of Chat Completions, calls that follow each other as one turn.

    Raises:
        BadRequest: an item is of a type that is not known, or lacks a member.
    """
    requests = {item.get("id"): item for item in items if _kind(item) == "mcp_approval_request"}
    calls: list[Item] = []
    results: list[Item] = []
    for index, item in enumerate(items):
        try:
            made, told = _of_item(item, requests)
        except (KeyError, TypeError) as exc:
            raise BadRequest(f"input[{index}] lacks {exc}") from exc
        if made is not None:
            if results and _kind(item) == "function_call":
                yield from _turn(calls, results)
                calls, results = [], []
            calls.append(made)
        if told is None:
            continue
        if told["role"] == "tool":
            results.append(told)
            continue
        yield from _turn(calls, results)
        calls, results = [], []
        yield told
    yield from _turn(calls, results)


def _turn(calls: Sequence[Item], results: Sequence[Item]) -> Iterator[Item]:
    if calls:
        yield {"role": "assistant", "content": None, "tool_calls": list(calls)}
    yield from results


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


def message_item(answer: Answer) -> Item:
    """A text, or a refusal with its reason."""
    content: list[Item] = []
    if answer.text is not None:
        content.append({"type": "output_text", "text": answer.text, "annotations": []})
    if answer.refusal is not None:
        content.append({"type": "refusal", "refusal": answer.refusal})
    return {
        "id": _id("msg"),
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": content,
    }


def function_item(call: Call, call_id: str) -> Item:
    """A call that the agent is to make."""
    return {
        "id": _id("fc"),
        "type": "function_call",
        "call_id": call_id,
        "status": "completed",
        **_written(call),
    }


def listing_item(label: str, tools: Sequence[Tool]) -> Item:
    """The tools of a server that may be called."""
    listed = [
        {
            "name": tool.name,
            "description": tool.description,
            "input_schema": tool.input_schema,
            "annotations": tool.annotations.model_dump(by_alias=True, exclude_none=True)
            if tool.annotations
            else None,
        }
        for tool in tools
    ]
    item = {"id": _id("mcpl"), "type": "mcp_list_tools", "server_label": label}
    return {**item, "tools": listed, "error": None}


def approval_item(waiting: Waiting) -> Item:
    """A call that runs only when a person has approved it."""
    item = {"id": waiting.id, "type": "mcp_approval_request", "server_label": waiting.server}
    return {**item, **_written(waiting.call)}


def mcp_call_item(
    label: str, call: Call, output: str | None, error: str | None, approval: str | None = None
) -> Item:
    """A call that the gateway made, with what came of it."""
    return {
        "id": _id("mcp"),
        "type": "mcp_call",
        "server_label": label,
        **_written(call),
        "approval_request_id": approval,
        "output": output,
        "error": error,
        "status": "completed" if error is None else "failed",
    }


def text_of(result: CallToolResult) -> str:
    """A result as text: its texts, or else its structured content."""
    texts = [block.text for block in result.content if isinstance(block, TextContent)]
    if texts or result.structured_content is None:
        return "\n".join(texts)
    return json.dumps(result.structured_content, ensure_ascii=False)


def _written(call: Call) -> Item:
    return {"name": call.tool, "arguments": json.dumps(call.arguments, ensure_ascii=False)}


def _id(kind: str) -> str:
    return f"{kind}_{uuid.uuid4().hex}"
