"""Clients of OpenAI's APIs do whole jobs: ask, get a call, run it, tell its result, be answered."""

import json

import pytest

from tests.end_to_end.clients.client_programs import (
    LANGCHAIN,
    OPENAI,
    OPENAI_AGENTS,
    PYDANTIC_AI,
    Desk,
)

pytestmark = pytest.mark.slow

MODELS = ["auto", "support"]
SHIPPED = {"order_id": "ORD-1234"}
DELIVERED = {"order_id": "ORD-1236"}
IN_LYON = {"sku": "SKU-MUG12", "warehouse": "lyon"}


def test_openai_does_a_job_whose_tool_the_gateway_runs(desk: Desk) -> None:
    seen = desk.seen_by(OPENAI, "openai_sync.py")
    assert seen["models"][:2] == MODELS
    assert seen["looked_up"] == "support"
    assert (seen["finish"], seen["call"]) == (
        "tool_calls",
        {"tool": "track_order", "arguments": SHIPPED},
    )
    assert (seen["data"]["order_id"], seen["data"]["status"]) == ("ORD-1234", "shipped")
    assert json.loads(seen["answer"]) == seen["data"]
    assert seen["following"]["name"] == "check_stock"
    assert json.loads(seen["following"]["arguments"]) == IN_LYON


def test_openai_gets_no_call_for_chat_and_reads_why_a_request_is_refused(desk: Desk) -> None:
    seen = desk.seen_by(OPENAI, "openai_refusals.py")
    assert seen["chat"]["finish_reason"] == "stop"
    assert seen["chat"]["message"]["content"]
    assert "tool_calls" not in seen["chat"]["message"]
    assert "tool_calls" not in seen["nobody_gave"]["message"]
    assert "'nobody'" in seen["no_model"]
    assert seen["no_format"].startswith("response_format is not supported")


def test_openai_has_the_gateway_make_the_call_in_a_response(desk: Desk) -> None:
    seen = desk.seen_by(OPENAI, "openai_responses.py")
    assert (seen["call"]["name"], json.loads(seen["call"]["arguments"])) == ("check_stock", IN_LYON)
    assert (seen["call"]["status"], seen["call"]["error"]) == ("completed", None)
    assert "17 in lyon" in seen["text"]
    assert seen["own"]["name"] == "track_order"
    assert seen["answer"] == "ORD-1234 is on its way."


def test_openai_reads_a_streamed_response_event_by_event(desk: Desk) -> None:
    seen = desk.seen_by(OPENAI, "openai_responses_stream.py")
    made = seen["made"]
    assert made["numbers"] == list(range(len(made["kinds"])))
    assert made["kinds"][0] == "response.created"
    assert made["kinds"][-1] == "response.completed"
    assert "response.mcp_call.completed" in made["kinds"]
    _, call, message = made["final"]["output"]
    assert (call["name"], json.loads(call["arguments"])) == ("check_stock", IN_LYON)
    assert made["text"] == message["content"][0]["text"]
    assert "17 in lyon" in made["text"]
    (own,) = seen["asked"]["output"]
    assert (own["name"], json.loads(own["arguments"])) == ("track_order", SHIPPED)
    assert "response.function_call_arguments.delta" in seen["asked"]["kinds"]
    (answer,) = seen["answered"]["output"]
    assert answer["content"][0]["text"] == "ORD-1234 is on its way."
    (refusal,) = seen["refusal"]
    assert refusal


def test_openai_does_several_jobs_at_once_with_tools_of_its_own(desk: Desk) -> None:
    seen = desk.seen_by(OPENAI, "openai_async.py")
    assert seen["models"][:2] == MODELS
    first, second, thanks = seen["jobs"]
    assert first["call"] == {"tool": "TrackOrder", "arguments": SHIPPED}
    assert second["call"] == {"tool": "TrackOrder", "arguments": DELIVERED}
    assert (first["answer"], second["answer"]) == ("it is shipped", "it is delivered")
    assert thanks["call"] is None
    assert thanks["answer"]
    assert seen["forbidden"] is None


def test_openai_puts_a_streamed_job_together_from_its_deltas(desk: Desk) -> None:
    seen = desk.seen_by(OPENAI, "openai_stream.py")
    asked, answered, chat = seen["asked"], seen["answered"], seen["chat"]
    (call,) = asked["calls"]
    assert (call["name"], json.loads(call["arguments"])) == ("track_order", SHIPPED)
    assert (asked["finish"], asked["text"]) == ("tool_calls", "")
    assert asked["tokens"] > 0
    assert (answered["finish"], answered["calls"]) == ("stop", [])
    assert "ORD-1234 of 2026-10-28 is shipped" in answered["text"]
    assert (chat["finish"], chat["calls"]) == ("stop", [])
    assert chat["text"]


def test_the_stream_helper_of_openai_sees_the_call_grow_and_finish(desk: Desk) -> None:
    seen = desk.seen_by(OPENAI, "openai_stream_helper.py")
    (call,) = seen["message"]["tool_calls"]
    assert (seen["finish"], json.loads(call["function"]["arguments"])) == ("tool_calls", DELIVERED)
    assert "tool_calls.function.arguments.delta" in seen["kinds"]
    assert seen["kinds"][-1] == "tool_calls.function.arguments.done"


def test_an_openai_agent_runs_its_own_tools_on_the_gateway_as_its_model(desk: Desk) -> None:
    seen = desk.seen_by(OPENAI_AGENTS, "openai_agents_model.py")
    steps = ["tool_call_item", "tool_call_output_item", "message_output_item"]
    assert seen["whole"] == {"steps": steps, "answer": "ORD-1234 is on its way."}
    assert seen["stream"]["steps"] == steps
    assert seen["stream"]["deltas"] == seen["stream"]["answer"] == "ORD-1236 is on its way."
    assert seen["chat"]["steps"] == ["message_output_item"]
    assert seen["ran"] == [SHIPPED, DELIVERED]


def test_an_openai_agent_with_its_default_model_streams_whole_jobs(desk: Desk) -> None:
    seen = desk.seen_by(OPENAI_AGENTS, "openai_agents_responses.py")
    steps = ["tool_call_item", "tool_call_output_item", "message_output_item"]
    assert seen["whole"] == {"steps": steps, "answer": "ORD-1234 is on its way."}
    for job, answer in (
        ("stream", "ORD-1236 is on its way."),
        ("after", "ORD-1234 is on its way."),
    ):
        assert seen[job]["steps"] == steps
        assert seen[job]["deltas"] == seen[job]["answer"] == answer
        assert seen[job]["kinds"].count("response.completed") == 2
    assert seen["hosted"]["steps"][-2:] == ["tool_call_item", "message_output_item"]
    assert "response.mcp_call.completed" in seen["hosted"]["kinds"]
    assert "17 in lyon" in seen["hosted"]["answer"]
    assert seen["chat"]["steps"] == ["message_output_item"]
    assert seen["ran"] == [SHIPPED, DELIVERED, SHIPPED]


def test_a_pydantic_ai_agent_runs_its_own_tools_on_the_gateway_as_its_model(desk: Desk) -> None:
    seen = desk.seen_by(PYDANTIC_AI, "pydantic_ai_model.py")
    parts = ["user-prompt", "tool-call", "tool-return", "text"]
    assert (seen["whole"]["parts"], seen["whole"]["requests"]) == (parts, 2)
    assert json.loads(seen["whole"]["answer"]) == {**SHIPPED, "status": "on its way"}
    assert seen["after"]["parts"] == parts * 2
    assert json.loads(seen["after"]["answer"])["order_id"] == "ORD-1236"
    assert seen["stream"]["parts"] == parts
    assert json.loads("".join(seen["stream"]["pieces"]))["order_id"] == "ORD-1236"
    assert seen["chat"]["parts"] == ["user-prompt", "text"]
    assert seen["ran"] == [SHIPPED, DELIVERED, DELIVERED]


def test_langgraph_runs_its_own_tools_on_the_gateway_as_its_model(desk: Desk) -> None:
    seen = desk.seen_by(LANGCHAIN, "langchain_model.py")
    (call,) = seen["streamed"]["calls"]
    assert (call["name"], call["args"]) == ("track_order", SHIPPED)
    assert seen["streamed"]["usage"]["total_tokens"] > 0
    whole = {"types": ["human", "ai", "tool", "ai"], "answer": "ORD-1234 is on its way."}
    assert seen["graph"] == seen["agent"] == whole
    assert seen["pieces"] == [
        ["tool", "ORD-1236 is on its way."],
        ["AIMessageChunk", "ORD-1236 is on its way."],
    ]
    assert seen["chat"]["calls"] == []
    assert seen["chat"]["answer"]
    assert seen["ran"] == [DELIVERED, SHIPPED, SHIPPED]
