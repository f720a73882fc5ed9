"""The teacher: what is tried again, what is told, and that the key is never told."""

import asyncio
import json
import logging
from typing import Any

import httpx
import pytest

from gateway.types import Usage
from tests.gateway.cli_gateway import unused_port
from tests.training.generate.endpoint import KEY, Endpoint, completion
from training.completion import Answer
from training.teacher import TaskRefused, Teacher, TeacherError

ASKED = [{"role": "user", "content": "Write one row."}]


async def ask(endpoint: Endpoint, **settings: Any) -> Answer:
    async with endpoint.teacher(**settings) as teacher:
        return await teacher.ask(ASKED)


async def refusal(endpoint: Endpoint, **settings: Any) -> str:
    with pytest.raises(TeacherError) as caught:
        await ask(endpoint, **settings)
    assert KEY not in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


async def test_an_answer_comes_with_its_tokens_and_the_request_is_openai_s():
    endpoint = Endpoint(completion("  {}\n", reasoning_content="hm"))
    answer = await ask(endpoint, body={"temperature": 1})
    assert answer == Answer("{}", Usage(100, 20), "stop")
    (request,) = endpoint.asked
    assert str(request.url) == "https://teacher.test/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert json.loads(request.content) == {"model": "large", "temperature": 1, "messages": ASKED}
    assert answer.seconds > 0


async def test_members_of_one_request_are_added_to_those_of_all():
    endpoint = Endpoint(completion("{}"))
    async with endpoint.teacher(body={"temperature": 1, "top_p": 1}) as teacher:
        await teacher.ask(ASKED, temperature=0, tools=[])
        await teacher.ask(ASKED)
    first, second = (json.loads(request.content) for request in endpoint.asked)
    assert first == {
        "model": "large", "temperature": 0, "top_p": 1, "tools": [], "messages": ASKED,
    }  # fmt: skip
    assert second == {"model": "large", "temperature": 1, "top_p": 1, "messages": ASKED}


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (completion("I would rather not write rows."), "I would rather not write rows."),
        (completion(None), ""),
        (completion(""), ""),
    ],
)
async def test_prose_and_nothing_at_all_are_answers_too(answer: httpx.Response, text: str):
    endpoint = Endpoint(answer)
    assert (await ask(endpoint)).text == text
    assert len(endpoint.asked) == 1


async def test_a_busy_teacher_is_asked_again_after_the_pause_it_names():
    busy = httpx.Response(429, headers={"retry-after": "7"}, json={"error": {"message": "slow"}})
    endpoint = Endpoint(busy, busy, completion("{}"))
    assert (await ask(endpoint)).text == "{}"
    assert endpoint.pauses == [7.0, 7.0]


async def test_without_a_named_pause_pauses_double():
    endpoint = Endpoint(
        httpx.Response(500), httpx.Response(503), httpx.ConnectError("no route"),
        httpx.ReadError("reset"), completion("{}"),
    )  # fmt: skip
    assert (await ask(endpoint)).text == "{}"
    assert endpoint.pauses == [1.0, 2.0, 4.0, 8.0]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (httpx.Response(500, json={"error": {"message": f"broken for {KEY}"}}),
         "the teacher at teacher.test answers 500: broken for [key] (asked 3 times)"),
        (httpx.Response(429), "answers 429: (empty) (asked 3 times)"),
        (httpx.ReadTimeout("slow"), "did not answer in time (asked 3 times)"),
        (httpx.RemoteProtocolError("cut off"), "cannot be reached: cut off (asked 3 times)"),
        (httpx.Response(200, json={"error": {"message": "no host", "code": 502}}),
         "answers 502: no host (asked 3 times)"),
    ],
)  # fmt: skip
async def test_what_does_not_pass_is_told_after_the_last_attempt(fault: Any, said: str):
    endpoint = Endpoint(fault)
    assert said in await refusal(endpoint, attempts=3)
    assert len(endpoint.asked) == 3


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(401, json={"error": {"message": f"wrong key {KEY}\nbye"}}),
         "answers 401: wrong key [key] bye"),
        (httpx.Response(404, text="no such page"), "answers 404: no such page"),
        (httpx.Response(400, json={"error": "no such model"}), "answers 400: no such model"),
        (httpx.Response(307, headers={"location": "https://x.test"}), "answers 307"),
        (httpx.Response(200, json={"error": {"message": "no money"}}), "answers 400: no money"),
        (httpx.Response(200, text="<html>hello"), "often ends with /v1: <html>hello"),
        (httpx.Response(200), "which often ends with /v1: (empty)"),
        (httpx.Response(200, content=b'{"choices": [{"mess\xff'), 'with /v1: {"choices": [{"mess'),
        (httpx.Response(200, json={"choices": []}), "sent no chat completion"),
        (httpx.Response(200, json=[1]), "sent no chat completion"),
        (httpx.Response(200, json={"choices": [{"message": {"content": 3}}]}), "no chat compl"),
        (httpx.Response(429, headers={"retry-after": "86400"}), "a pause of 86400 s"),
    ],
)  # fmt: skip
async def test_what_would_not_pass_either_is_told_at_once(answer: httpx.Response, said: str):
    endpoint = Endpoint(answer)
    assert said in await refusal(endpoint)
    assert (len(endpoint.asked), endpoint.pauses) == (1, [])


@pytest.mark.parametrize(
    ("fault", "refused"),
    [
        (httpx.Response(400, json={"error": {"code": "content_filter"}}), True),
        (httpx.Response(413), True),
        (httpx.Response(422), True),
        (httpx.Response(504), True),
        (httpx.ReadTimeout("slow"), True),
        (httpx.Response(401), False),
        (httpx.Response(403), False),
        (httpx.Response(404), False),
        (httpx.Response(429), False),
        (httpx.Response(500), False),
        (httpx.ConnectTimeout("no route"), False),
    ],
)
async def test_a_conversation_that_is_refused_is_told_from_a_teacher_that_fails(
    fault: Any, refused: bool
):
    with pytest.raises(TeacherError) as caught:
        await ask(Endpoint(fault), attempts=2)
    assert isinstance(caught.value, TaskRefused) == refused


async def test_a_teacher_that_is_not_there_is_named():
    host = f"127.0.0.1:{unused_port()}"
    async with Teacher(f"http://{host}/v1", "large", attempts=1) as teacher:
        with pytest.raises(TeacherError, match=f"the teacher at {host} cannot be reached"):
            await teacher.ask(ASKED)


async def test_a_connection_cut_short_is_tried_again_and_then_named():
    answer = completion("{}").content
    served = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        served += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(answer))
        # The third time, all of it.
        writer.write(answer if served == 3 else answer[:20])
        await writer.drain()
        writer.close()

    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    async with server, Teacher(url, "large", attempts=2, pause=pause) as teacher:
        with pytest.raises(TeacherError, match=r"cannot be reached: .*\(asked 2 times\)"):
            await teacher.ask(ASKED)
        assert (await teacher.ask(ASKED)).text == "{}"
    assert (served, pauses) == (3, [1.0])


async def test_no_more_requests_than_allowed_run_at_once():
    running, most, gate = 0, 0, asyncio.Event()

    async def answer(_: httpx.Request) -> httpx.Response:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 2:
            gate.set()
        await gate.wait()
        running -= 1
        return completion("{}")

    transport = httpx.MockTransport(answer)
    async with Teacher("http://teacher.test", "large", concurrency=2, transport=transport) as t:
        await asyncio.gather(*(t.ask(ASKED) for _ in range(6)))
    assert most == 2


@pytest.mark.parametrize(
    ("url", "settings"),
    [
        ("teacher.test/v1", {}),
        ("ftp://teacher.test", {}),
        ("https://", {}),
        ("http://t:port", {}),
        ("https://me:secret@teacher.test", {}),
        ("https://teacher.test", {"key": "ключ"}),
        ("https://teacher.test", {"concurrency": 0}),
        ("https://teacher.test", {"timeout_s": 0}),
        ("https://teacher.test", {"model": ""}),
    ],
)
def test_what_no_teacher_can_be_made_of_is_refused(url: str, settings: dict[str, Any]):
    with pytest.raises(ValueError, match=r"teacher's|concurrency") as caught:
        Teacher(url, **{"model": "large", **settings})
    assert "secret" not in str(caught.value)
    assert "ключ" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://t.test/v1/", "http://t.test/v1/chat/completions"])
async def test_the_url_may_end_as_people_write_it(url: str):
    endpoint = Endpoint(completion("{}"))
    transport = httpx.MockTransport(endpoint.answer)
    async with Teacher(url, "large", transport=transport) as teacher:
        await teacher.ask(ASKED)
    assert str(endpoint.asked[0].url) == "http://t.test/v1/chat/completions"
    assert "authorization" not in endpoint.asked[0].headers


async def test_the_key_is_in_no_log_line(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    await ask(Endpoint(httpx.Response(500), completion("{}")))
    assert KEY not in caplog.text
