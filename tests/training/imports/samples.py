"""Small real conversations at the order desk, in OpenAI's form, and the files they come in."""

import json
from pathlib import Path
from typing import Any

from tests.adapters import support_toolset
from training.imports.gate import Imported, Refused

DESK = support_toolset()
TRACK: dict[str, Any] = {"tool": "track_order", "arguments": {"order_id": "ORD-4821"}}
CANCEL: dict[str, Any] = {
    "tool": "cancel_order",
    "arguments": {"order_id": "ORD-4821", "reason": "it is late"},
}


def user(text: Any) -> dict[str, Any]:
    return {"role": "user", "content": text}


def says(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def calls(*made: dict[str, Any]) -> dict[str, Any]:
    """An assistant turn with tool calls; `arguments` may be text already."""
    asked = [
        {
            "id": f"call_{number}",
            "type": "function",
            "function": {
                "name": call["tool"],
                "arguments": call["arguments"]
                if isinstance(call["arguments"], str)
                else json.dumps(call["arguments"]),
            },
        }
        for number, call in enumerate(made)
    ]
    return {"role": "assistant", "content": None, "tool_calls": asked}


def result(text: str, call_id: str = "call_0") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": text}


def offered(*names: str) -> list[dict[str, Any]]:
    """Tools of the desk in OpenAI's form, all of them without names."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.input_schema,
            },
        }
        for tool in DESK.tools
        if not names or tool.name in names
    ]


STORY = [
    {"role": "developer", "content": "You work at an order desk."},
    user("Where is ORD-4821?"),
    calls(TRACK),
    result('{"status": "in transit"}'),
    says("It is on its way."),
    user(
        [{"type": "text", "text": "Then cancel ORD-4821,"}, {"type": "text", "text": "it is late"}]
    ),
    calls(CANCEL),
    result("cancelled"),
    says("ORD-4821 is cancelled."),
]
"""A conversation that makes three rows: two calls and the last text."""


def write(file: Path, *lines: Any) -> Path:
    """A file of JSON lines; a text is written as it is."""
    text = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(text) + "\n", encoding="utf-8")
    return file


def imported(found: Any) -> list[Imported]:
    """What was read, when nothing was refused."""
    read = list(found)
    assert [item for item in read if isinstance(item, Refused)] == []
    return read


def refused(found: Any) -> list[tuple[str, str]]:
    """Place and reason of everything that was refused."""
    return [(item.place, item.reason) for item in found if isinstance(item, Refused)]
