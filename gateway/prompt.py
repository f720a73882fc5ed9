"""A conversation and a toolset, rendered as the chat messages the router model reads.

Training and serving render through this one module, so what an adapter learned is what it is
asked. `PROMPT_VERSION` is that of the format `json`, whose prompts and answers are written here;
`gateway.formats` chooses among the formats. Below this module stand only the values; the engine's
chat template turns the messages into tokens.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, cast

from mcp.types import Tool

from gateway.types import Call, Message, Toolset

PROMPT_VERSION = 1
PromptForm = Literal["schemas", "lines", "name"]
"""How much of the toolset the system message shows: everything, a line a tool, its name alone."""

HISTORY_TURNS = 12
TOOL_RESULT_CHARS = 2_000


def system_text(toolset: Toolset, form: PromptForm) -> str:
    """The system message of a toolset in one form. Raises ValueError for an unknown form."""
    task = f"Route the request to the tools of {toolset.name}. Answer in JSON."
    if form == "name":
        return task
    if form == "lines":
        return "\n".join([task, *(_tool_line(tool) for tool in toolset.tools)])
    if form == "schemas":
        return "\n".join([task, *(_tool_schema(tool) for tool in toolset.tools)])
    raise ValueError(f"unknown prompt form {form!r}; known are schemas, lines, name")


def render(messages: Sequence[Message], toolset: Toolset, form: PromptForm) -> list[dict[str, str]]:
    """The prompt as chat messages: our system message, then the conversation's last turns.

    System messages of the agent are left out: no adapter has seen them. A tool's result becomes
    a user turn, because many chat templates know no other role.
    """
    prompt = [{"role": "system", "content": system_text(toolset, form)}]
    prompt.extend(_turn(message) for message in last_turns(messages))
    return prompt


def last_turns(messages: Sequence[Message]) -> list[Message]:
    """What the model reads of a conversation: its last turns, without system messages.

    Of a tool's result it reads the beginning.
    """
    turns = [message for message in messages if message.role != "system"][-HISTORY_TURNS:]
    return [
        replace(turn, content=turn.content[:TOOL_RESULT_CHARS]) if turn.role == "tool" else turn
        for turn in turns
    ]


def openai_tools(toolset: Toolset) -> tuple[Mapping[str, Any], ...]:
    """The toolset as `tools` of OpenAI's Chat Completions, which chat templates take as well."""
    return tuple(
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description or "",
                "parameters": tool.input_schema,
            },
        }
        for tool in toolset.tools
    )


def render_answer(target: Mapping[str, Any], toolset: Toolset) -> str:
    """The text the model is trained to write for a target (DESIGN 5.1).

    Arguments stand in the order of the tool's schema, which is the order the grammar allows.

    Raises:
        ValueError: the target is none of a call, several calls, or no_tool.
    """
    calls = ordered_calls(target, toolset)
    if "calls" in target:
        return _dumps({"calls": calls})
    if not calls:
        return _dumps({"tool": "no_tool", "reason": str(target.get("reason", ""))})
    return _dumps(calls[0])


def ordered_calls(target: Mapping[str, Any], toolset: Toolset) -> list[dict[str, Any]]:
    """A target's calls, arguments in the order of the tools' schemas; none for no_tool.

    Raises:
        ValueError: the target is none of a call, several calls, or no_tool.
    """
    if target.get("tool") == "no_tool" and "calls" not in target:
        return []
    calls = cast(list[Mapping[str, Any]], target.get("calls") or [target])
    return [_ordered(call, toolset) for call in calls]


def render_calls(calls: Iterable[Call]) -> str:
    """Calls an assistant made earlier in a conversation, in the form the model itself writes."""
    made = [call.as_dict() for call in calls]
    return _dumps(made[0] if len(made) == 1 else {"calls": made})


def _turn(message: Message) -> dict[str, str]:
    if message.role == "tool":
        return {"role": "user", "content": f"Tool result: {message.content}"}
    return {"role": message.role, "content": message.content}


def _ordered(call: Mapping[str, Any], toolset: Toolset) -> dict[str, Any]:
    tool = toolset.by_name.get(str(call.get("tool")))
    if tool is None or not isinstance(call.get("arguments"), dict):
        raise ValueError(f"target {call!r} is no call of toolset {toolset.name}")
    return {"tool": tool.name, "arguments": in_schema_order(call["arguments"], tool.input_schema)}


def in_schema_order(
    value: Any, schema: Mapping[str, Any], root: Mapping[str, Any] | None = None
) -> Any:
    """An object's members in the order its schema lists them, unknown members last."""
    root = schema if root is None else root
    schema = _referred(schema, root)
    if isinstance(value, list):
        items = _as_schema(schema.get("items"))
        return [in_schema_order(item, items, root) for item in cast(list[Any], value)]
    if not isinstance(value, dict):
        return value
    members: dict[str, Any] = dict(cast(Mapping[str, Any], value))
    properties = _as_schema(schema.get("properties"))
    names = [name for name in properties if name in members]
    names += [name for name in members if name not in properties]
    return {
        name: in_schema_order(members[name], _as_schema(properties.get(name)), root)
        for name in names
    }


def _referred(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a `$ref` to one of the schema's own definitions stands for; any other says nothing."""
    seen = 0
    while "$ref" in schema and seen < len(root.get("$defs") or root.get("definitions") or ()) + 1:
        _, _, path = str(schema["$ref"]).partition("#/")
        key, _, name = path.partition("/")
        schema, seen = _as_schema(_as_schema(root.get(key)).get(name)), seen + 1
    return schema


def _as_schema(value: Any) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], value) if isinstance(value, dict) else {}


def _tool_line(tool: Tool) -> str:
    properties = cast(dict[str, Any], tool.input_schema.get("properties") or {})
    required = cast(list[str], tool.input_schema.get("required") or [])
    names = ", ".join(name if name in required else f"{name}?" for name in properties)
    return f"{tool.name}({names}): {tool.description or ''}".rstrip(": ")


def _tool_schema(tool: Tool) -> str:
    shown = {
        "name": tool.name,
        "description": tool.description or "",
        "inputSchema": tool.input_schema,
    }
    return _dumps(shown)


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
