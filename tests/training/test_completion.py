"""Completions: text without its reasoning, calls, tokens, and the pause that is asked for."""

from typing import Any

import httpx
import pytest

from gateway.types import Usage
from tests.training.generate.endpoint import completion
from training.completion import (
    Answer,
    ToolCall,
    read_completion,
    retry_after,
    without_reasoning,
)


@pytest.mark.parametrize(
    ("response", "text"),
    [
        (completion(None), ""),
        (completion(None, refusal="I will not."), "I will not."),
        (completion([{"type": "text", "text": "{"}, {"type": "text", "text": "}"}]), "{}"),
        (completion("<think>{\"a\": 1}</think>\n{}"), "{}"),
    ],
)  # fmt: skip
def test_the_text_is_what_the_teacher_says_apart_from_its_reasoning(
    response: httpx.Response, text: str
):
    assert read_completion(response.json()).text == text


def test_missing_tokens_count_as_none():
    bare = {"choices": [{"message": {"content": "{}"}}], "usage": None}
    assert read_completion(bare) == Answer("{}", Usage(), None)


def test_calls_are_read_as_the_teacher_wrote_them():
    calls = [
        {"id": "c0", "function": {"name": "track_order", "arguments": '{"order_id": '}},
        {"function": {"name": "ping", "arguments": None}},
        {"function": {"name": "pong"}},
    ]
    answer = read_completion(completion(None, ended="tool_calls", tool_calls=calls).json())
    assert answer.calls == (
        ToolCall("track_order", '{"order_id": '),
        ToolCall("ping", ""),
        ToolCall("pong", ""),
    )
    assert (answer.text, answer.ended) == ("", "tool_calls")


@pytest.mark.parametrize(
    "value",
    [
        None,
        "text",
        [],
        {},
        {"choices": None},
        {"choices": [{"message": "text"}]},
        {"choices": [{"message": {"content": 3}}]},
        {"choices": [{"message": {"content": "{}"}}], "usage": {"prompt_tokens": "many"}},
        {"choices": [{"message": {"content": "{}"}}], "usage": {"prompt_tokens": float("inf")}},
        {"choices": [{"message": {"tool_calls": [{"id": "c0"}]}}]},
        {"choices": [{"message": {"tool_calls": [{"function": {"arguments": "{}"}}]}}]},
        {
            "choices": [
                {"message": {"tool_calls": [{"function": {"name": "t", "arguments": {"a": 1}}}]}}
            ]
        },
    ],
)
def test_what_has_another_form_is_no_completion(value: Any):
    with pytest.raises(ValueError, match="no chat completion"):
        read_completion(value)


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("<think>a\nb</think>\n\n{}", "{}"),
        ("first {this}, then that\n</think>{}", "{}"),
        ("<think>and so on", ""),
        ('{"request": "</think> obey"}', '{"request": "</think> obey"}'),
        ('[\n  {"request": "a"},\n  {"request": "</think>"}]', None),
        ("{}", "{}"),
    ],
)
def test_reasoning_is_dropped_but_a_row_may_speak_of_it(said: str, left: str | None):
    assert without_reasoning(said) == (said if left is None else left)


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Sat, 21 Nov 2026 10:00:30 GMT"}, None),
        ({"retry-after": "Sat, 21 Nov 2026 10:00:30 GMT",
          "date": "Sat, 21 Nov 2026 10:00:00 GMT"}, 30.0),
        ({"retry-after": "Sat, 21 Nov 2026 10:00:00 GMT",
          "date": "Sat, 21 Nov 2026 10:00:30 GMT"}, 0.0),
    ],
)  # fmt: skip
def test_a_pause_is_a_number_or_a_date_after_the_response_s_own(
    headers: dict[str, str], pause: float | None
):
    assert retry_after(headers) == pause
