"""Chat Completions with a fallback: what it takes over, and how the paths are counted."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response

from gateway.engines.base import Completion, Prompt
from gateway.engines.scripted import ScriptedEngine
from gateway.errors import EngineDown
from tests.gateway.faces.chats import USER, chat, error_of, message_of, offered, offered_desk
from tests.gateway.faces.test_openai_stream import chunks_of, deltas
from tests.gateway.fallback.llm_double import KEY, LlmDouble, calls, says
from tests.gateway.serving import ASK, TRACK, Served, desk, dispatched, served, settings, tell_desk
from tests.gateway.toolsets.upstream_doubles import PATIENCE_S, http

NO_TOOL = {"tool": "no_tool", "reason": "need an order"}
MADE = {"id": "c", "type": "function", "function": {"name": "track_order", "arguments": "{}"}}
AFTER = (
    USER,
    {"role": "assistant", "content": None, "tool_calls": [MADE]},
    {"role": "tool", "tool_call_id": "c", "content": "on its way"},
)
CALL = calls((TRACK["tool"], TRACK["arguments"]))


@asynccontextmanager
async def backed(
    tmp_path: Path, double: LlmDouble, answer: Any = NO_TOOL, **engine: Any
) -> AsyncIterator[Served]:
    """A gateway whose fallback is the double, over a real connection."""
    scripted = answer if isinstance(answer, ScriptedEngine) else ScriptedEngine({ASK: answer})
    script = desk(tmp_path / "desk")
    async with http(double.app) as port:
        fallback = {
            "url": f"http://127.0.0.1:{port}/v1", "model": "big", "api_key": KEY, "retries": 0,
        }  # fmt: skip
        config = settings(tmp_path, script.config(), fallback=fallback)
        async with served(config, scripted) as gateway:
            yield gateway
    assert dispatched(script) == 0


class Down(ScriptedEngine):
    """An engine that completes nothing."""

    async def complete(self, prompt: Prompt) -> Completion:
        raise EngineDown("no memory left")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (NO_TOOL, "no_tool"),
        ({**TRACK, "arguments": {"order_id": "ORD-9999"}}, "not_grounded"),
        (ScriptedEngine({ASK: TRACK}, logprob=-50.0), "low_confidence"),
        ("no JSON", "parse"),
        (Down(), "engine_down"),
    ],
    ids=["no_tool", "not_grounded", "low_confidence", "parse", "engine_down"],
)
async def test_what_the_router_leaves_is_taken_over(
    tmp_path: Path, answer: Any, reason: str
) -> None:
    double = LlmDouble(CALL)
    async with backed(tmp_path, double, answer) as gateway:
        response = await chat(gateway, seed=7, reasoning_effort="low", verbosity="low")
        metrics = (await gateway.client.get("/metrics")).text
    (call,) = message_of(response)["tool_calls"]
    assert (call["id"], call["function"]["name"]) == ("llm_0", "track_order")
    assert json.loads(call["function"]["arguments"]) == TRACK["arguments"]
    assert response.headers["X-Pointsman-Path"] == "fallback"
    assert response.json()["model"] == "big-llm-1"
    assert response.json()["usage"]["total_tokens"] == 110
    (asked,) = double.asked
    assert (asked["messages"], asked["seed"], asked["model"]) == ([USER], 7, "big")
    assert (asked["reasoning_effort"], asked["verbosity"]) == ("low", "low")
    assert {tool["function"]["name"] for tool in asked["tools"]} >= {"track_order", "escalate"}
    assert double.keys == [f"Bearer {KEY}"]
    assert f'pointsman_fallback_turns_total{{reason="{reason}"}} 1.0' in metrics
    assert 'pointsman_answers_total{kind="call",path="fallback"} 1.0' in metrics
    assert 'pointsman_answer_seconds_count{path="fallback"} 1.0' in metrics
    assert 'pointsman_fallback_tokens_total{kind="prompt"} 100.0' in metrics
    assert "pointsman_saved_tokens_total{" not in metrics


async def test_what_the_router_calls_costs_no_llm_and_is_counted_as_saved(tmp_path: Path) -> None:
    double = LlmDouble()
    async with backed(tmp_path, double, TRACK) as gateway:
        response = await chat(gateway)
        metrics = (await gateway.client.get("/metrics")).text
    assert response.headers["X-Pointsman-Path"] == "router"
    assert double.asked == []
    assert 'pointsman_answers_total{kind="call",path="router"} 1.0' in metrics
    (saved,) = [line for line in metrics.splitlines() if line.startswith("pointsman_saved_tokens")
                and "_created" not in line]  # fmt: skip
    chars = len(json.dumps([USER, *offered_desk()])) + len(json.dumps([TRACK]))
    assert float(saved.split()[-1]) == chars // 4


async def test_a_drifted_tool_is_called_by_the_fallback_which_reads_the_live_schema(
    tmp_path: Path,
) -> None:
    double = LlmDouble(CALL)
    script = desk(tmp_path / "desk2")
    async with http(double.app) as port:
        fallback = {"url": f"http://127.0.0.1:{port}/v1", "model": "big"}
        async with served(settings(tmp_path, script.config(), fallback=fallback)) as gateway:
            tell_desk(script, 2)
            await gateway.parts.watch.refresh("script")
            renamed = next(t for t in gateway.parts.active.all[0].drift.tools if t.renamed_to)
            engine = gateway.parts.engine
            assert isinstance(engine, ScriptedEngine)
            engine._answers = {ASK: {"tool": renamed.tool, "arguments": {}}}  # pyright: ignore
            response = await chat(gateway)
    assert response.headers["X-Pointsman-Outcome"] == "abstained"
    assert response.headers["X-Pointsman-Drift"].startswith("removed")
    assert message_of(response)["finish_reason"] == "tool_calls"
    names = [tool["function"]["name"] for tool in double.asked[0]["tools"]]
    assert renamed.renamed_to in names
    assert renamed.tool not in names


async def test_the_answer_after_a_tools_result_is_worded(tmp_path: Path) -> None:
    double = LlmDouble(says("Your order is on its way."))
    async with backed(tmp_path, double) as gateway:
        response = await chat(gateway, *AFTER)
    message = message_of(response)
    assert message["content"] == "Your order is on its way."
    assert message["finish_reason"] == "stop"
    assert double.asked[0]["messages"] == list(AFTER)
    assert "X-Pointsman-Outcome" not in response.headers


async def test_no_choice_of_tools_is_passed_on(tmp_path: Path) -> None:
    double = LlmDouble(says("Hello!"))
    async with backed(tmp_path, double) as gateway:
        assert message_of(await chat(gateway, tool_choice="none"))["content"] == "Hello!"
    assert double.asked[0]["tool_choice"] == "none"


async def test_only_the_agents_own_tools_are_called_by_the_fallback(tmp_path: Path) -> None:
    answer = calls(("track_order", {"order_id": "ORD-1234"}))
    double = LlmDouble(answer, answer)
    async with backed(tmp_path, double) as gateway:
        tools = [offered("get_weather", type="object", properties={"city": {"type": "string"}})]
        message = message_of(await chat(gateway, tools=tools))
    assert [t["function"]["name"] for t in double.asked[0]["tools"]] == ["get_weather"]
    assert message["content"] is None
    assert "track_order is not among the tools" in message["refusal"]


async def test_text_of_the_fallback_streams_through(tmp_path: Path) -> None:
    double = LlmDouble(says("We open at nine."))
    async with backed(tmp_path, double) as gateway:
        options = {"include_usage": True}
        response = await chat(gateway, tools=offered_desk(), stream=True, stream_options=options)
    chunks = chunks_of(response)
    pieces = [delta["content"] for delta in deltas(chunks) if delta.get("content")]
    assert pieces == list("We open at nine.")
    assert chunks[-1]["usage"]["total_tokens"] == 110
    assert response.headers["X-Pointsman-Path"] == "fallback"


async def test_streamed_calls_of_the_fallback_are_checked_before_they_are_sent(
    tmp_path: Path,
) -> None:
    double = LlmDouble(calls(("track_order", {"order_id": 5})), CALL)
    async with backed(tmp_path, double) as gateway:
        chunks = chunks_of(await chat(gateway, stream=True))
    text = json.dumps(chunks)
    assert "llm_0" in text
    arguments = "".join(
        call["function"]["arguments"]
        for delta in deltas(chunks)
        for call in delta.get("tool_calls", ())
    )
    assert json.loads(arguments) == TRACK["arguments"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_fallback_that_fails_is_an_error_with_its_status(
    tmp_path: Path, stream: bool
) -> None:
    double = LlmDouble(Response(f"no such key {KEY}", 400))
    async with backed(tmp_path, double) as gateway:
        response = await chat(gateway, stream=stream)
        metrics = (await gateway.client.get("/metrics")).text
    error = error_of(response)
    assert (response.status_code, error["code"]) == (502, "fallback_down")
    assert error["type"] == "server_error"
    assert KEY not in response.text
    assert 'pointsman_fallback_errors_total{code="fallback_down"} 1.0' in metrics


async def test_a_fallback_that_fails_within_a_stream_ends_it_with_the_error(
    tmp_path: Path,
) -> None:
    begun = 'data: {"choices": [{"delta": {"content": "We"}}]}\n\n'
    double = LlmDouble(Response(begun, media_type="text/event-stream"))
    async with backed(tmp_path, double) as gateway:
        response = await chat(gateway, stream=True)
    *_, last, end = response.text.split("\n\n")
    assert json.loads(last.removeprefix("data: "))["error"]["code"] == "fallback_down"
    assert end == ""
    assert "[DONE]" not in response.text


@pytest.mark.parametrize("stream", [False, True])
async def test_the_fallback_is_left_when_the_client_goes(tmp_path: Path, stream: bool) -> None:
    double = LlmDouble({"content": "We are open", "hold": True})
    async with backed(tmp_path, double) as gateway:
        asking = asyncio.create_task(chat(gateway, stream=stream))
        async with asyncio.timeout(PATIENCE_S):
            await double.holds.wait()
            asking.cancel()
            await double.left.wait()
