"""Errors of the Responses API behind something that must not happen twice.

Clients of OpenAI ask again where they get a status of 500 and above, twice by default. So once a
call has run, or a person's answer is used up, an error is a response that failed.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import Response

from gateway.engines.base import Prompt
from gateway.engines.scripted import ScriptedEngine
from tests.gateway.faces.chats import error_of
from tests.gateway.faces.described import closed, described, faults_of
from tests.gateway.faces.respond import ASKING, DESK, answering, approval, ask, events_of, output_of
from tests.gateway.fallback.llm_double import LlmDouble, says
from tests.gateway.serving import ASK, TRACK, Served, desk, dispatched, served, settings
from tests.gateway.toolsets.upstream_doubles import Script, http

DOWN = Response("down", 400)


@asynccontextmanager
async def backed(
    tmp_path: Path, *answers: Any, routed: Any = TRACK
) -> AsyncIterator[tuple[Served, Script]]:
    """A gateway whose router answers so, and an LLM what comes after."""
    async with http(LlmDouble(*answers).app) as port:
        fallback = {"url": f"http://127.0.0.1:{port}/v1", "model": "big", "retries": 0}
        async with answering(tmp_path, routed, fallback=fallback) as (gateway, script):
            yield gateway, script


def failed(response: httpx.Response, *kinds: str) -> dict[str, Any]:
    """A response that failed, streamed or not, checked for the types of its items."""
    if response.headers["content-type"].startswith("text/event-stream"):
        last = events_of(response)[-1]
        assert last["type"] == "response.failed"
        body = last["response"]
    else:
        assert response.status_code == 200, response.text
        assert faults_of(closed(described()), "/v1/responses", response) == []
        body = response.json()
    assert body["status"] == "failed"
    assert [item["type"] for item in body["output"]] == list(kinds)
    return body


async def test_an_error_after_a_call_is_a_response_that_failed(tmp_path: Path) -> None:
    async with backed(tmp_path, DOWN) as (gateway, script):
        response = await ask(gateway, DESK)
        assert dispatched(script) == 1
    body = failed(response, "mcp_list_tools", "mcp_call")
    assert body["output"][1]["status"] == "completed"
    assert body["error"]["code"] == "server_error"
    assert "answered 400" in body["error"]["message"]
    assert response.headers["X-Pointsman-Path"] == "router"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("approve", "kinds"), [(True, ["mcp_call"]), (False, [])])
async def test_a_persons_answer_is_not_lost_with_an_error(
    tmp_path: Path, approve: bool, kinds: list[str], stream: bool
) -> None:
    async with backed(tmp_path, DOWN, says("As you say.")) as (gateway, script):
        asked = (await ask(gateway, ASKING)).json()
        answer = [approval(asked["output"][-1], approve)]
        before = asked["id"]
        response = await ask(
            gateway, ASKING, input=answer, previous_response_id=before, stream=stream
        )
        body = failed(response, *kinds)
        # The conversation is kept, so that it can go on.
        more = await ask(gateway, ASKING, input=[], previous_response_id=body["id"])
        (message,) = output_of(more, "message")
        assert dispatched(script) == approve
    assert message["content"][0]["text"] == "As you say."


async def test_an_error_that_nobody_foresaw_is_logged_and_not_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    prompts: list[Prompt] = []

    def answer(prompt: Prompt) -> Any:
        prompts.append(prompt)
        if len(prompts) > 1:
            raise RuntimeError("hush-4711")
        return TRACK

    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, script.config()), ScriptedEngine(answer)) as gateway:
        asked = (await ask(gateway, ASKING)).json()
        denied = [approval(asked["output"][-1], approve=False), {"role": "user", "content": ASK}]
        with caplog.at_level(logging.ERROR):
            response = await ask(gateway, ASKING, input=denied, previous_response_id=asked["id"])
    assert failed(response)["error"]["message"] == "the gateway failed; its log says why"
    assert "hush-4711" in caplog.text
    assert "hush-4711" not in response.text


async def test_an_error_before_anything_has_happened_has_its_status(tmp_path: Path) -> None:
    no_tool = {"tool": "no_tool", "reason": "not mine"}
    async with backed(tmp_path, DOWN, routed=no_tool) as (gateway, script):
        response = await ask(gateway, DESK)
        assert dispatched(script) == 0
    assert (response.status_code, error_of(response)["code"]) == (502, "fallback_down")
