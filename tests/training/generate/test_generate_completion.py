"""Completions: the text without its reasoning, the tokens, and the pause that is asked for."""

import httpx
import pytest

from gateway.types import Usage
from tests.training.generate.endpoint import completion
from training.generate.completion import Answer, read_completion, retry_after, without_reasoning


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
