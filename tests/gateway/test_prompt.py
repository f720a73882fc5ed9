"""The prompt: what the model reads, to the byte."""

import json
from typing import Any

import pytest
from mcp.types import Tool

from gateway.prompt import (
    HISTORY_TURNS,
    TOOL_RESULT_CHARS,
    in_schema_order,
    render,
    render_answer,
    render_calls,
    system_text,
)
from gateway.types import Call, Message, Toolset

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "b": {"type": "string"},
        "a": {"type": "object", "properties": {"z": {}, "y": {}}},
        "c": {},
    },
    "required": ["b"],
}
TOOLS = Toolset(
    "desk",
    (
        Tool(name="one", description="Für alle: ✓", input_schema=SCHEMA),
        Tool(name="two", input_schema={"type": "object"}),
    ),
)
TASK = "Route the request to the tools of desk. Answer in JSON."


def test_the_name_form_is_one_line():
    assert system_text(TOOLS, "name") == TASK


def test_the_lines_form_shows_a_line_a_tool_with_optional_arguments_marked():
    assert system_text(TOOLS, "lines") == f"{TASK}\none(b, a?, c?): Für alle: ✓\ntwo()"


def test_the_schemas_form_shows_every_schema_in_the_order_it_was_sent():
    task, one, two = system_text(TOOLS, "schemas").split("\n")
    assert task == TASK
    assert one == (
        '{"name": "one", "description": "Für alle: ✓", "inputSchema": '
        + json.dumps(SCHEMA, ensure_ascii=False)
        + "}"
    )
    assert two == '{"name": "two", "description": "", "inputSchema": {"type": "object"}}'


def test_an_unknown_form_is_refused():
    with pytest.raises(ValueError, match="unknown prompt form 'short'"):
        system_text(TOOLS, "short")  # pyright: ignore[reportArgumentType]


def test_a_request_becomes_our_system_message_and_a_user_turn():
    assert render([Message("user", "where?")], TOOLS, "name") == [
        {"role": "system", "content": TASK},
        {"role": "user", "content": "where?"},
    ]


def test_the_agents_system_messages_are_left_out_and_tool_results_become_user_turns():
    conversation = [
        Message("system", "You are a pirate."),
        Message("user", "where?"),
        Message("assistant", "let me see"),
        Message("tool", "shipped"),
        Message("system", "Ignore all tools."),
    ]
    assert render(conversation, TOOLS, "name")[1:] == [
        {"role": "user", "content": "where?"},
        {"role": "assistant", "content": "let me see"},
        {"role": "user", "content": "Tool result: shipped"},
    ]


def test_a_long_tool_result_is_cut_and_a_long_request_is_not():
    long = "x" * (TOOL_RESULT_CHARS + 1)
    _, result, request = render([Message("tool", long), Message("user", long)], TOOLS, "name")
    assert result["content"] == "Tool result: " + "x" * TOOL_RESULT_CHARS
    assert request["content"] == long


def test_only_the_last_turns_are_read_and_system_messages_do_not_count():
    turns = [Message("user", str(number)) for number in range(HISTORY_TURNS + 3)]
    prompt = render([*turns[:-1], Message("system", "s"), turns[-1]], TOOLS, "name")
    expected = [str(number) for number in range(3, HISTORY_TURNS + 3)]
    assert [turn["content"] for turn in prompt[1:]] == expected


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ({"arguments": {"c": 1, "a": {"y": 1, "z": 2}, "b": "ü"}, "tool": "one"},
         '{"tool": "one", "arguments": {"b": "ü", "a": {"z": 2, "y": 1}, "c": 1}}'),
        ({"tool": "two", "arguments": {"n": 1.5, "m": None}},
         '{"tool": "two", "arguments": {"n": 1.5, "m": null}}'),
        ({"reason": "need order_id", "tool": "no_tool"},
         '{"tool": "no_tool", "reason": "need order_id"}'),
        ({"tool": "no_tool"}, '{"tool": "no_tool", "reason": ""}'),
        ({"calls": [{"tool": "two", "arguments": {}},
                    {"tool": "one", "arguments": {"c": 1, "b": ""}}]},
         '{"calls": [{"tool": "two", "arguments": {}}, '
         '{"tool": "one", "arguments": {"b": "", "c": 1}}]}'),
    ],
)  # fmt: skip
def test_a_target_is_written_in_one_way(target: dict[str, Any], text: str):
    assert render_answer(target, TOOLS) == text


@pytest.mark.parametrize(
    "target",
    [
        {},
        {"tool": "three", "arguments": {}},
        {"tool": "one"},
        {"tool": "one", "arguments": None},
        {"tool": "one", "arguments": []},
        {"calls": [{"tool": "one", "arguments": {}}, {"tool": "no_tool", "reason": "x"}]},
    ],
)
def test_what_is_no_target_is_refused(target: dict[str, Any]):
    with pytest.raises(ValueError, match="is no call of toolset desk"):
        render_answer(target, TOOLS)


def test_ordering_keeps_every_member_and_puts_unknown_ones_last():
    value = {"unknown": 1, "c": 2, "b": 3}
    ordered = in_schema_order(value, SCHEMA)
    assert ordered == value
    assert list(ordered) == ["b", "c", "unknown"]
    assert in_schema_order("text", SCHEMA) == "text"


def test_ordering_reaches_through_lists_and_definitions():
    schema = {
        "properties": {"rows": {"type": "array", "items": {"$ref": "#/$defs/row"}}},
        "$defs": {
            "row": {"properties": {"b": {}, "a": {"$ref": "#/$defs/row"}}},
            "loop": {"$ref": "#/$defs/loop"},
        },
    }
    ordered = in_schema_order({"rows": [{"a": {"a": 1, "b": 2}, "b": 3}]}, schema)
    assert json.dumps(ordered) == '{"rows": [{"b": 3, "a": {"b": 2, "a": 1}}]}'
    loop = schema | {"properties": {"x": {"$ref": "#/$defs/loop"}}}
    assert in_schema_order({"x": {"b": 1, "a": 2}}, loop) == {"x": {"b": 1, "a": 2}}


def test_earlier_calls_are_written_as_the_model_writes_them():
    one, two = Call("one", {"b": "ü"}), Call("two", {})
    assert render_calls([one]) == '{"tool": "one", "arguments": {"b": "ü"}}'
    assert render_calls([one, two]) == (
        '{"calls": [{"tool": "one", "arguments": {"b": "ü"}}, {"tool": "two", "arguments": {}}]}'
    )
