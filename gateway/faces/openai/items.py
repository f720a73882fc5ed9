"""The items of a Responses conversation that we write. Pure.

Item types and members are those of OpenAI's API reference for Responses. An item that takes a while
is written when it begins and once more when it is whole, with the same id.
"""

import json
import uuid
from collections.abc import Sequence
from typing import Any

from mcp.types import CallToolResult, TextContent, Tool

from gateway.approval import Waiting
from gateway.turn import Answer
from gateway.types import Call

Item = dict[str, Any]


def begun_message() -> Item:
    """A message of which nothing is written yet."""
    item = {"id": _id("msg"), "type": "message", "role": "assistant", "status": "in_progress"}
    return {**item, "content": []}


def message_item(begun: Item, answer: Answer) -> Item:
    """A text, or a refusal with its reason."""
    content: list[Item] = []
    if answer.text is not None:
        content.append({"type": "output_text", "text": answer.text, "annotations": []})
    if answer.refusal is not None:
        content.append({"type": "refusal", "refusal": answer.refusal})
    return {**begun, "status": "completed", "content": content}


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


def begun_mcp_call(label: str, call: Call, approval: str | None) -> Item:
    """A call that the gateway makes; `approval` is the id of its request for approval."""
    return {
        "id": _id("mcp"),
        "type": "mcp_call",
        "server_label": label,
        **_written(call),
        "approval_request_id": approval,
        "output": None,
        "error": None,
        "status": "in_progress",
    }


def mcp_call_item(begun: Item, output: str | None, error: str | None) -> Item:
    """A call that the gateway made, with what came of it."""
    status = "completed" if error is None else "failed"
    return {**begun, "output": output, "error": error, "status": status}


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
