"""Streams of Chat Completions: the chunks that OpenAI's clients read, and what ends them."""

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.app import build_app
from gateway.engines.base import Completion, Prompt
from gateway.engines.scripted import ScriptedEngine
from gateway.faces.openai.events import BEAT, event_stream
from tests.gateway.faces.chats import USER, chat, error_of, leave, listed
from tests.gateway.faces.respond import CANCEL
from tests.gateway.serving import ASK, TRACK, desk, served, settings


def chunks_of(response: httpx.Response) -> list[dict[str, Any]]:
    """The chunks of a stream that ends as it should."""
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/event-stream")
    *events, last, end = response.text.split("\n\n")
    assert (last, end) == ("data: [DONE]", "")
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({(chunk["id"], chunk["model"], chunk["created"]) for chunk in chunks}) == 1
    return chunks


def deltas(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]


async def test_calls_come_as_deltas_between_the_role_and_the_finish(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    engine = ScriptedEngine({ASK: {"calls": [TRACK, CANCEL]}})
    async with served(settings(tmp_path, script.config()), engine) as gateway:
        response = await chat(gateway, stream=True)
    chunks = chunks_of(response)
    first, *calls, last = deltas(chunks)
    assert (first["role"], first["content"]) == ("assistant", None)
    assert last == {}
    finishes = [chunk["choices"][0]["finish_reason"] for chunk in chunks]
    assert finishes == [None] * (len(chunks) - 1) + ["tool_calls"]
    assert "usage" not in chunks[-1]
    made: dict[int, dict[str, str]] = {}
    for delta in calls:
        (call,) = delta["tool_calls"]
        if "id" in call:
            made[call["index"]] = {"id": call["id"], "type": call["type"], "arguments": ""}
            made[call["index"]]["name"] = call["function"]["name"]
        made[call["index"]]["arguments"] += call["function"]["arguments"]
    assert list(made) == [0, 1]
    assert made[0]["id"] != made[1]["id"]
    for call, wanted in zip(made.values(), (TRACK, CANCEL), strict=True):
        assert (call["type"], call["name"]) == ("function", wanted["tool"])
        assert json.loads(call["arguments"]) == wanted["arguments"]
    assert response.headers["X-Pointsman-Outcome"] == "call"


async def test_usage_comes_last_and_only_if_asked_for(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, script.config())) as gateway:
        options = {"include_usage": True}
        chunks = chunks_of(await chat(gateway, stream=True, stream_options=options))
    *before, last = chunks
    assert [chunk["usage"] for chunk in before] == [None] * len(before)
    assert last["choices"] == []
    usage = last["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0


@pytest.mark.parametrize(("choice", "member"), [("auto", "content"), ("required", "refusal")])
async def test_a_reason_is_streamed_as_text_or_as_a_refusal(
    tmp_path: Path, choice: str, member: str
) -> None:
    script = desk(tmp_path / "desk")
    engine = ScriptedEngine({ASK: {"tool": "no_tool", "reason": "need an order"}})
    async with served(settings(tmp_path, script.config()), engine) as gateway:
        chunks = chunks_of(await chat(gateway, stream=True, tool_choice=choice))
    assert "need an order" in [delta.get(member) for delta in deltas(chunks)]
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


async def test_what_fails_before_the_stream_has_its_status(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, script.config())) as gateway:
        response = await chat(gateway, stream=True, model="gpt-6")
    assert (response.status_code, error_of(response)["code"]) == (404, "unknown_model")


class Stalled(ScriptedEngine):
    """An engine that answers nothing until it is cancelled."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def complete(self, prompt: Prompt) -> Completion:
        self.asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()
        raise AssertionError


@pytest.mark.parametrize(
    ("path", "stream"),
    [
        (path, stream)
        for path in ("/v1/chat/completions", "/v1/responses")
        for stream in (False, True)
    ],
)
async def test_the_work_is_cancelled_when_the_client_goes(
    tmp_path: Path, path: str, stream: bool
) -> None:
    script = desk(tmp_path / "desk")
    engine = Stalled()
    config = settings(tmp_path, script.config())
    app = build_app(config, engine=engine)
    body = {"messages": [USER], "input": ASK, "stream": stream}
    async with listed(app):
        await leave(app, path, body, engine.asked.wait)
    assert engine.cancelled.is_set()


async def test_a_stream_in_which_nothing_happens_has_comments() -> None:
    go_on = asyncio.Event()

    async def objects() -> AsyncGenerator[dict[str, Any]]:
        yield {"n": 1}
        await go_on.wait()
        yield {"n": 2}

    chunks: list[Any] = []
    async for chunk in event_stream(objects(), {}, beat_s=0.001).body_iterator:
        chunks.append(chunk)
        if chunks.count(BEAT) == 2:
            go_on.set()
    assert [chunk for chunk in chunks if chunk != BEAT] == [
        b'data: {"n": 1}\n\n', b'data: {"n": 2}\n\n', b"data: [DONE]\n\n",
    ]  # fmt: skip
    assert chunks.count(BEAT) >= 2
