"""Reading completions: everything is an answer or says why it is none."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.grammar import parse_answer
from gateway.types import Call, Route

A = {"tool": "a", "arguments": {"x": 1}}
B = {"tool": "b", "arguments": {}}


@pytest.mark.parametrize(
    ("answer", "calls"),
    [
        (A, [A]),
        ({"calls": [A, B]}, [A, B]),
        ({"calls": [A]}, [A]),
        ({"calls": [A] * 8}, [A] * 8),
        ({"tool": "ä ✓", "arguments": {"x": {"y": [None, 1.5, "😀"]}}}, None),
    ],
)
def test_calls_are_read(answer: Any, calls: list[Any] | None):
    wanted = tuple(Call(call["tool"], call["arguments"]) for call in calls or [answer])
    assert parse_answer(json.dumps(answer)) == Route(calls=wanted)
    assert parse_answer(f"\n {json.dumps(answer, ensure_ascii=False, indent=2)} \n").calls == wanted


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"tool": "no_tool", "reason": "need order_id"}', "need order_id"),
        ('{"reason": "chat", "tool": "no_tool"}', "chat"),
        ('{"tool": "no_tool"}', "no tool fits"),
        ('{"tool": "no_tool", "reason": ""}', "no tool fits"),
        ('{"tool": "no_tool", "reason": 7}', "no tool fits"),
        ('{"tool": "no_tool", "arguments": {"x": 1}}', "no tool fits"),
    ],
)
def test_no_tool_is_read_with_its_reason(text: str, reason: str):
    route = parse_answer(text)
    assert route.is_no_tool
    assert route == Route(reason=reason)


DEEP = "[" * 100_000 + "]" * 100_000

NO_ANSWERS = [
    "",
    "   \n",
    "I would call track_order.",
    'Sure! {"tool": "a", "arguments": {}}',
    '{"tool": "a", "arguments": {}} Done.',
    '```json\n{"tool": "a", "arguments": {}}\n```',
    '{"tool": "a", "arguments": {}}{"tool": "b", "arguments": {}}',
    '{"tool": "a", "arguments": {',
    "{'tool': 'a', 'arguments': {}}",
    "null", "true", "3", '"a"', "[]", '[{"tool": "a", "arguments": {}}]', "{}",
    '{"tool": "a"}',
    '{"arguments": {}}',
    '{"tool": "a", "arguments": null}',
    '{"tool": "a", "arguments": []}',
    '{"tool": "a", "arguments": "{}"}',
    '{"tool": "", "arguments": {}}',
    '{"tool": 1, "arguments": {}}',
    '{"tool": null, "arguments": {}}',
    '{"tool": "a", "arguments": {}, "confidence": 1}',
    '{"name": "a", "arguments": {}}',
    '{"calls": []}',
    '{"calls": {}}',
    '{"calls": null}',
    '{"calls": ["a"]}',
    '{"calls": [[]]}',
    '{"calls": [{"tool": "a", "arguments": {}}], "tool": "a"}',
    '{"calls": [{"tool": "a", "arguments": {}}, {"tool": "no_tool", "reason": "x"}]}',
    json.dumps({"calls": [A] * 9}),
    '{"tool": "a", "arguments": {"x": NaN}}',
    '{"tool": "a", "arguments": {"x": Infinity}}',
    '{"tool": "a", "arguments": {"x": -Infinity}}',
    '{"tool": "a", "arguments": {"x": 1e999}}',
    '{"tool": "a", "arguments": {"x": -1e999}}',
    '{"tool": "a", "arguments": {"x": ' + "9" * 5_000 + "}}",
    '{"tool": "a", "tool": "b", "arguments": {}}',
    '{"tool": "no_tool", "tool": "b", "arguments": {}}',
    '{"tool": "a", "arguments": {"x": 1, "x": 2}}',
    '{"tool": "a", "arguments": {"x": "\n"}}',
    "\ufeff" + '{"tool": "a", "arguments": {}}',
    DEEP,
    '{"tool": "a", "arguments": {"x": ' + DEEP + "}}",
]  # fmt: skip


@pytest.mark.parametrize("text", NO_ANSWERS, ids=lambda text: repr(text[:50]))
def test_what_is_no_answer_says_why(text: str):
    route = parse_answer(text)
    assert route.error
    assert not route.calls
    assert not route.is_no_tool


def test_the_reason_of_a_broken_answer_does_not_repeat_it_whole():
    error = parse_answer('{"x": 1' + "0" * 400 + ".5e999}").error
    assert error is not None
    assert len(error) < 100


@given(st.text())
def test_no_text_raises(text: str):
    route = parse_answer(text)
    assert route.error or route.calls or route.is_no_tool


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.dictionaries(st.sampled_from(["tool", "arguments", "calls", "reason"]), JSON))
def test_no_object_raises(answer: dict[str, Any]):
    route = parse_answer(json.dumps(answer))
    assert route.error or route.calls or route.is_no_tool


@given(st.text(min_size=1).filter(lambda name: name != "no_tool"), st.dictionaries(st.text(), JSON))
def test_every_call_written_as_json_is_read_back(tool: str, arguments: dict[str, Any]):
    route = parse_answer(json.dumps({"tool": tool, "arguments": arguments}))
    assert route.calls == (Call(tool, arguments),)
