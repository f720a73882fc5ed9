"""The teacher's column, against an endpoint that stands in the test."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from gateway.types import Message, Route, Usage
from tests.adapters import support_toolset
from training.completion import read_completion
from training.evaluation.answers import Answer
from training.rows import Row
from training.teacher import Teacher
from training.teacher_column import TeacherFailed, as_route, teacher_answers

DESK = support_toolset()
KEY = "sk-very-secret"
TRACK: dict[str, Any] = {"tool": "track_order", "arguments": {"order_id": "ORD-1234"}}
ROW = Row((Message("user", "where is ORD-1234"),), TRACK, "call", "plain")
Endpoint = Callable[[httpx.Request], httpx.Response]


def completion(*, text: str | None = None, calls: Any = None, **choice: Any) -> dict[str, Any]:
    """A chat completion; `calls` are (name, arguments as text)."""
    made = [
        {"id": f"c{i}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for i, (name, arguments) in enumerate(calls or ())
    ]
    message = {"role": "assistant", "content": text, "tool_calls": made or None}
    return {
        "id": "x",
        "choices": [{"index": 0, "message": message, **choice}],
        "usage": {"prompt_tokens": 700, "completion_tokens": 20},
    }


def read(**said: Any) -> Route:
    return as_route(read_completion(completion(**said)))


async def asked(endpoint: Endpoint, rows: list[Row] | None = None, **options: Any) -> list[Answer]:
    teacher = Teacher(
        options.pop("url", "http://llm.test/v1"), "big", key=KEY,
        transport=httpx.MockTransport(endpoint), **options,
    )  # fmt: skip
    return await teacher_answers(teacher, DESK, rows or [ROW])


async def test_the_teacher_is_offered_the_toolset_and_asked_the_conversation_alone() -> None:
    bodies: list[Any] = []

    def endpoint(got: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(got.content))
        return httpx.Response(200, json=completion(text="Hello."))

    turns = (
        Message("system", "You are a pirate."),
        Message("user", "where is it?"),
        Message("assistant", "the number?"),
        Message("tool", "shipped"),
        Message("user", "ORD-1234"),
    )
    await asked(endpoint, [Row(turns, TRACK, "call", "plain")])
    (body,) = bodies
    assert (body["model"], body["tool_choice"], body["temperature"]) == ("big", "auto", 0)
    assert body["messages"] == [
        {"role": "user", "content": "where is it?"},
        {"role": "assistant", "content": "the number?"},
        {"role": "user", "content": "Tool result: shipped"},
        {"role": "user", "content": "ORD-1234"},
    ]
    assert [tool["function"]["name"] for tool in body["tools"]] == list(DESK.by_name)
    assert body["tools"][0]["function"]["parameters"] == DESK.tools[0].input_schema


def test_a_tool_call_is_a_call() -> None:
    route = read(calls=[("track_order", '{"order_id": "ORD-1234"}')])
    assert [call.as_dict() for call in route.calls] == [TRACK]
    assert route.usage == Usage(700, 20)
    assert route.confidence is None


def test_several_tool_calls_are_several_calls_whatever_is_said_beside_them() -> None:
    arguments = '{"order_id": "ORD-1234"}'
    route = read(text="Sure!", calls=[("track_order", arguments), ("track_order", arguments)])
    assert len(route.calls) == 2
    assert route.reason is None


def test_a_call_without_arguments_has_none() -> None:
    assert read(calls=[("ping", "")]).calls[0].arguments == {}
    assert read(calls=[("ping", None)]).calls[0].arguments == {}


def test_a_text_is_no_tool_and_its_own_reason() -> None:
    route = read(text=" Which order do you mean? ")
    assert route.is_no_tool
    assert route.reason == "Which order do you mean?"


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"calls": [("track_order", '{"order_id": ')]}, "arguments of track_order are not JSON"),
        ({"calls": [("track_order", "[1]")]}, "not of the form"),
        ({"calls": [("track_order", '{"x": NaN}')]}, "no JSON number"),
        ({"calls": [("", "{}")]}, "not of the form"),
        ({"calls": [("track_order", "{}")] * 9}, "1 to 8 calls"),
        ({"text": "", "finish_reason": "length"}, r"neither a call nor a text \(.* length\)"),
        ({}, "neither a call nor a text"),
    ],
)
def test_what_is_no_answer_is_a_route_with_an_error(said: Any, error: str) -> None:
    route = read(**said)
    with pytest.raises(ValueError, match=error):
        raise ValueError(route.error)
    assert not route.calls
    assert route.usage == Usage(700, 20)


async def test_answers_are_judged_like_any_others_and_keep_the_order_of_the_rows() -> None:
    rows = [
        Row((Message("user", text),), TRACK, "call", "plain")
        for text in ("where is ORD-1234", "where is my order", "the twelfth", "fly", "hello")
    ]
    said = {
        rows[0].text: ("track_order", '{"order_id": "ORD-1234"}'),
        rows[1].text: ("track_order", '{"order_id": "ORD-9999"}'),
        rows[2].text: ("track_order", '{"order_id": "12"}'),
        rows[3].text: ("fly", "{}"),
    }

    async def endpoint(asked: httpx.Request) -> httpx.Response:
        text = json.loads(asked.content)["messages"][-1]["content"]
        # The first rows are answered last.
        for _ in range(10 * (5 - [row.text for row in rows].index(text))):
            await asyncio.sleep(0)
        call = said.get(text)
        return httpx.Response(
            200, json=completion(calls=[call]) if call else completion(text="Hello!")
        )

    teacher = Teacher("http://llm.test/v1", "big", transport=httpx.MockTransport(endpoint))
    counted: list[tuple[str, int, int]] = []
    found = await teacher_answers(teacher, DESK, rows, lambda *step: counted.append(step))
    assert [answer.row for answer in found] == rows
    assert [answer.decision(0.0).outcome for answer in found] == [
        "call", "abstained", "invalid", "invalid", "no_tool",
    ]  # fmt: skip
    assert found[0].grade().exact
    assert counted == [("teacher big", number, 5) for number in range(1, 6)]


async def test_no_more_rows_are_asked_at_once_than_allowed() -> None:
    now = most = 0

    async def endpoint(_: httpx.Request) -> httpx.Response:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        return httpx.Response(200, json=completion(text="Hello."))

    transport = httpx.MockTransport(endpoint)
    teacher = Teacher("http://llm.test/v1", "big", concurrency=3, transport=transport)
    assert len(await teacher_answers(teacher, DESK, [ROW] * 20)) == 20
    assert most == 3


@pytest.mark.parametrize("url", ["http://llm.test/v1", "http://llm.test/v1/"])
async def test_the_key_goes_to_the_endpoint_as_a_bearer_token(url: str) -> None:
    seen: list[httpx.Request] = []

    def endpoint(got: httpx.Request) -> httpx.Response:
        seen.append(got)
        return httpx.Response(200, json=completion(text="Hello."))

    await asked(endpoint, url=url)
    (got,) = seen
    assert str(got.url) == "http://llm.test/v1/chat/completions"
    assert got.headers["Authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(Teacher(url, "big", key=KEY))


def refuses(_: httpx.Request) -> httpx.Response:
    return httpx.Response(401, text=f"no such key:\n {KEY}")


def breaks_off(got: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("connection refused", request=got)


def is_slow(got: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("", request=got)


@pytest.mark.parametrize(
    ("endpoint", "error"),
    [
        (refuses, r"answers 401: no such key: \[key\]"),
        (breaks_off, "cannot be reached: connection refused"),
        (is_slow, "did not answer in time"),
        (lambda _: httpx.Response(301, headers={"Location": "/v2"}), r"answers 301: \(empty\)"),
        (lambda _: httpx.Response(200, text="<html>"), "sent no chat completion; .*: <html>"),
        (lambda _: httpx.Response(200, text=""), r"sent no chat completion; .*: \(empty\)"),
        (lambda _: httpx.Response(200, json={"choices": []}), "sent no chat completion"),
        (lambda _: httpx.Response(200, json={"error": "overloaded"}), "overloaded"),
    ],
)
async def test_an_endpoint_that_fails_is_named_with_the_row_and_without_the_key(
    endpoint: Endpoint, error: str
) -> None:
    with pytest.raises(TeacherFailed, match=error) as failure:
        await asked(endpoint, attempts=1)
    assert str(failure.value).startswith("teacher big at llm.test, row 1: ")
    assert KEY not in str(failure.value)


async def test_a_busy_endpoint_is_asked_again_after_the_time_it_names() -> None:
    replies = [
        httpx.Response(429, headers={"Retry-After": "7"}),
        httpx.Response(503),
        httpx.Response(200, json=completion(text="Hello.")),
    ]
    waited: list[float] = []

    async def pause(seconds: float) -> None:
        waited.append(seconds)

    (answer,) = await asked(lambda _: replies.pop(0), pause=pause)
    assert answer.route.reason == "Hello."
    assert waited == [7.0, 2.0]


async def test_an_endpoint_that_stays_busy_ends_the_column() -> None:
    asked_times = 0

    def endpoint(_: httpx.Request) -> httpx.Response:
        nonlocal asked_times
        asked_times += 1
        return httpx.Response(429, text="slow down")

    async def pause(_: float) -> None: ...

    with pytest.raises(TeacherFailed, match="answers 429: slow down"):
        await asked(endpoint, pause=pause, attempts=4)
    assert asked_times == 4


async def test_a_column_goes_on_when_one_answer_is_cut_short() -> None:
    first = True

    def endpoint(got: httpx.Request) -> httpx.Response:
        nonlocal first
        if first:
            first = False
            raise httpx.RemoteProtocolError("peer closed connection", request=got)
        return httpx.Response(200, json=completion(text="Hello."))

    async def pause(_: float) -> None: ...

    found = await asked(endpoint, [ROW] * 3, pause=pause)
    assert [answer.route.reason for answer in found] == ["Hello."] * 3
