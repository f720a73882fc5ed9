"""One LLM over HTTP: how its answers are read, and what becomes of its failures."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from starlette.responses import Response

from gateway.config import FallbackConfig
from gateway.errors import FallbackDown, FallbackTimeout
from gateway.fallback.llm import Llm
from gateway.fallback.written import Written, WrittenCall
from gateway.types import Usage
from tests.gateway.fallback.llm_double import KEY, LlmDouble, calls, chunks, completion, says

BODY = {"messages": [{"role": "user", "content": "hi \ud83d"}]}


def config(**more: Any) -> FallbackConfig:
    return FallbackConfig(
        **{"url": "http://llm.test/v1", "model": "big", "api_key": SecretStr(KEY), "backoff_s": 0}
        | more
    )


def llm(double: LlmDouble, **more: Any) -> Llm:
    return Llm(config(**more), httpx.ASGITransport(double.app))


async def read(asked: Llm, **body: Any) -> tuple[list[str], Written]:
    """The pieces of text, and the whole answer."""
    *texts, whole = [piece async for piece in asked.write({**BODY, **body})]
    assert isinstance(whole, Written)
    assert all(isinstance(text, str) for text in texts)
    return [str(text) for text in texts], whole


@pytest.mark.parametrize("stream", [False, True])
async def test_calls_and_text_are_put_together_whether_streamed_or_not(stream: bool) -> None:
    answer = calls(("track", {"id": 1}), ("stop", {}), text="well")
    double = LlmDouble(answer)
    texts, whole = await read(llm(double), stream=stream)
    assert texts == (list("well") if stream else ["well"])
    assert whole.calls == (
        WrittenCall("llm_0", "track", '{"id": 1}'),
        WrittenCall("llm_1", "stop", "{}"),
    )
    assert (whole.text, whole.finish, whole.model) == ("well", "tool_calls", "big-llm-1")
    assert whole.usage == Usage(100, 10)
    assert double.keys == [f"Bearer {KEY}"]
    assert (double.asked[0]["model"], double.asked[0]["n"]) == ("big", 1)


async def test_a_server_that_does_not_stream_is_read_all_the_same() -> None:
    double = LlmDouble(Response(json.dumps(completion(says("all at once")))))
    assert (await read(llm(double), stream=True))[0] == ["all at once"]


async def test_a_failure_before_the_first_byte_is_tried_again() -> None:
    double = LlmDouble(Response("busy", 503), Response("slow down", 429), says("here"))
    assert (await read(llm(double, retries=2)))[1].text == "here"
    assert len(double.asked) == 3


async def test_a_connection_that_fails_is_tried_again() -> None:
    tries: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        tries.append(request)
        if len(tries) == 1:
            raise httpx.ConnectError("refused", request=request)
        return httpx.Response(200, json=completion(says("here")))

    asked = Llm(config(), httpx.MockTransport(answer))
    assert (await read(asked))[1].text == "here"


def never(error: type[httpx.RequestError]) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error("no luck", request=request)

    return answer


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (httpx.ConnectError, FallbackDown),
        (httpx.ConnectTimeout, FallbackDown),
        (httpx.RemoteProtocolError, FallbackDown),
        (httpx.ReadTimeout, FallbackTimeout),
    ],
)
async def test_a_server_that_cannot_be_asked_is_an_error_of_ours(
    error: type[httpx.RequestError], raised: type[Exception]
) -> None:
    asked = Llm(config(url="http://user:hush@llm.test/v1"), httpx.MockTransport(never(error)))
    with pytest.raises(raised, match=r"the fallback at http://llm\.test/v1") as caught:
        await read(asked)
    assert "hush" not in str(caught.value)


async def test_a_request_that_the_server_may_be_working_on_is_not_sent_twice() -> None:
    tries: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        tries.append(request)
        raise httpx.ReadTimeout("silent", request=request)

    with pytest.raises(FallbackTimeout):
        await read(Llm(config(retries=3), httpx.MockTransport(answer)))
    assert len(tries) == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Response(f"bad key {KEY}", 400), "400: bad key \\*\\*"),
        (Response(f"wrong key {KEY}", 401), "answered 401$"),
        (Response("no", 404), "404: no"),
        (Response("gone", 503), "503: gone"),
        (Response("{}", 200), "stopped before its answer was whole"),
        (Response("hello", 200), "no chat completion"),
        (Response('{"choices": 5}', 200), "no chat completion"),
        (Response(json.dumps({"error": "overloaded"}), 200), "failed: overloaded"),
    ],
)
async def test_a_refusal_is_told_without_the_key(answer: Response, words: str) -> None:
    with pytest.raises(FallbackDown, match=words) as caught:
        await read(llm(LlmDouble(answer), retries=0))
    assert KEY not in str(caught.value)


def events(*values: Any) -> Response:
    text = "".join(f"data: {json.dumps(value)}\n\n" for value in values)
    return Response(text, media_type="text/event-stream")


async def test_a_stream_that_is_cut_short_is_no_answer_and_is_not_tried_again() -> None:
    double = LlmDouble(events(*chunks(says("We"))[:2]), says("We are open"))
    writing = llm(double).write({**BODY, "stream": True})
    assert await anext(writing) == "W"
    with pytest.raises(FallbackDown, match="before its answer was whole"):
        await anext(writing)
    assert len(double.asked) == 1


async def test_an_error_within_a_stream_is_an_error() -> None:
    double = LlmDouble(events(*chunks(says("We"))[:2], {"error": {"message": "out of memory"}}))
    with pytest.raises(FallbackDown, match="failed: out of memory"):
        await read(llm(double), stream=True)


@pytest.mark.parametrize("index", [{"index": 0}, {}], ids=["index 0", "no index"])
async def test_calls_are_told_apart_by_their_ids_where_their_indexes_are_the_same(
    index: dict[str, int],
) -> None:
    pieces: list[dict[str, Any]] = []
    for id, tool in (("a", "track"), ("b", "stop")):
        pieces.append({**index, "id": id, "function": {"name": tool, "arguments": '{"n":'}})
        # A server may repeat the id, or give each piece one of its own; the name it tells once.
        pieces.append({**index, "id": id, "function": {"arguments": " "}})
        pieces.append({**index, "id": f"{id}-2", "function": {"arguments": "1}"}})
    deltas = [{"choices": [{"delta": {"tool_calls": [piece]}}]} for piece in pieces]
    end = {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}
    whole = (await read(llm(LlmDouble(events(*deltas, end))), stream=True))[1]
    assert whole.calls == (
        WrittenCall("a", "track", '{"n": 1}'),
        WrittenCall("b", "stop", '{"n": 1}'),
    )


async def test_a_server_may_leave_out_what_is_optional() -> None:
    function = {"name": "track", "arguments": "{}"}
    call = {"function": function}
    chunk = {"choices": [{"delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}
    whole = (await read(llm(LlmDouble(events(chunk))), stream=True))[1]
    assert whole.calls == (WrittenCall("call_0", "track", "{}"),)
    assert (whole.model, whole.usage) == ("big", Usage())
