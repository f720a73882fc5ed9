"""Streams of the Responses API with a fallback: words as they come, calls when they are checked."""

import json
from pathlib import Path
from typing import Any

from starlette.responses import Response

from tests.gateway.faces.chats import error_of
from tests.gateway.faces.respond import CANCEL, DESK, ECHO, OWN, answering, ask, built, events_of
from tests.gateway.fallback.llm_double import KEY, LlmDouble, calls, says
from tests.gateway.serving import TRACK, dispatched
from tests.gateway.toolsets.upstream_doubles import http

NO_TOOL = {"tool": "no_tool", "reason": "need an order"}


async def backed(tmp_path: Path, *answers: Any, tools: Any = DESK, **body: Any) -> Any:
    """A streamed response of a gateway whose router leaves all to an LLM that answers so."""
    double = LlmDouble(*answers)
    async with http(double.app) as port:
        fallback = {"url": f"http://127.0.0.1:{port}/v1", "model": "big", "api_key": KEY}
        async with answering(tmp_path, NO_TOOL, fallback=fallback) as (gateway, script):
            response = await ask(gateway, tools, stream=True, **body)
            return response, double, script


async def test_words_of_the_fallback_stream_through(tmp_path: Path) -> None:
    response, _, _ = await backed(tmp_path, says("We open at nine."), tools=OWN)
    events = events_of(response)
    deltas = [e["delta"] for e in events if e["type"] == "response.output_text.delta"]
    assert deltas == list("We open at nine.")
    built(events)
    assert events[-1]["response"]["model"] == "big-llm-1"
    assert events[-1]["response"]["usage"]["total_tokens"] == 110
    assert response.headers["X-Pointsman-Path"] == "fallback"


async def test_words_before_a_call_are_an_item_and_one_turn_with_it(tmp_path: Path) -> None:
    first = calls(("track_order", TRACK["arguments"]), text="I look.")
    response, double, script = await backed(tmp_path, first, says("On its way."))
    assert dispatched(script) == 1
    listed, words, call, answer = built(events_of(response))
    assert [item["type"] for item in (listed, words, call, answer)] == [
        "mcp_list_tools", "message", "mcp_call", "message",
    ]  # fmt: skip
    assert [item["content"][0]["text"] for item in (words, answer)] == ["I look.", "On its way."]
    _, made, result = double.asked[1]["messages"]
    assert (made["content"], made["tool_calls"][0]["id"]) == ("I look.", call["id"])
    assert result["content"] == ECHO


async def test_a_wrong_call_leaves_no_trace_in_a_stream(tmp_path: Path) -> None:
    wrong = calls(("track_order", {"order_id": "ORD-6666"}))
    right = calls(("track_order", TRACK["arguments"]))
    response, double, script = await backed(tmp_path, wrong, right, says("On its way."))
    assert len(double.asked) == 3
    assert dispatched(script) == 1
    _, call, _ = built(events_of(response))
    assert json.loads(call["arguments"]) == TRACK["arguments"]
    assert "ORD-6666" not in response.text


async def test_no_more_calls_are_made_than_a_response_may_have(tmp_path: Path) -> None:
    both = calls(("track_order", TRACK["arguments"]), ("cancel_order", CANCEL["arguments"]))
    response, _, script = await backed(tmp_path, both, max_tool_calls=1)
    assert dispatched(script) == 0
    *_, message = built(events_of(response))
    assert "no more than 1 calls" in message["content"][0]["refusal"]


async def test_an_answer_that_was_cut_off_is_an_incomplete_response(tmp_path: Path) -> None:
    chunk = {"choices": [{"delta": {"content": "We"}, "finish_reason": "length"}]}
    cut = Response(f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n", media_type="text/event-stream")
    response, _, _ = await backed(tmp_path, cut, tools=OWN)
    last = events_of(response)[-1]
    assert (last["type"], last["response"]["status"]) == ("response.incomplete", "incomplete")
    assert last["response"]["incomplete_details"] == {"reason": "max_output_tokens"}


async def test_an_error_within_a_stream_ends_it_with_what_was_made_so_far(tmp_path: Path) -> None:
    first = calls(("track_order", TRACK["arguments"]))
    response, _, script = await backed(tmp_path, first, Response(f"no such key {KEY}", 400))
    assert dispatched(script) == 1
    *_, error, failed = events_of(response)
    assert (error["type"], error["code"], error["param"]) == ("error", "fallback_down", None)
    assert failed["type"] == "response.failed"
    state = failed["response"]
    assert (state["status"], state["error"]["code"]) == ("failed", "server_error")
    assert state["error"]["message"] == error["message"]
    assert [item["type"] for item in state["output"]] == ["mcp_list_tools", "mcp_call"]
    assert KEY not in response.text


async def test_a_fallback_that_fails_at_once_is_an_error_with_its_status(tmp_path: Path) -> None:
    response, _, _ = await backed(tmp_path, Response("down", 400))
    assert (response.status_code, error_of(response)["code"]) == (502, "fallback_down")
