"""The Responses API: calls that the gateway makes itself."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.faces.chats import error_of
from tests.gateway.faces.respond import (
    CANCEL,
    DESK,
    ECHO,
    answering,
    ask,
    output_of,
)
from tests.gateway.fallback.llm_double import LlmDouble, calls, says
from tests.gateway.serving import ASK, TRACK, dispatched
from tests.gateway.toolsets.upstream_doubles import http


async def test_a_call_to_a_registered_server_is_made_and_its_result_is_the_answer(
    tmp_path: Path,
) -> None:
    async with answering(tmp_path) as (gateway, script):
        response = await ask(gateway, DESK)
        assert dispatched(script) == 1
        calls = (await gateway.client.get("/admin/calls")).json()["calls"]
    listed, call, message = output_of(response, "mcp_list_tools", "mcp_call", "message")
    assert listed["server_label"] == "script"
    assert {"track_order", "escalate"} <= {tool["name"] for tool in listed["tools"]}
    assert (call["name"], json.loads(call["arguments"])) == ("track_order", TRACK["arguments"])
    assert (call["output"], call["error"], call["status"]) == (ECHO, None, "completed")
    assert call["approval_request_id"] is None
    assert message["content"] == [{"type": "output_text", "text": ECHO, "annotations": []}]
    assert response.json()["usage"]["total_tokens"] > 0
    assert response.headers["X-Pointsman-Outcome"] == "call"
    assert {call["face"] for call in calls} == {"responses"}


async def test_what_is_not_called_is_answered_with_the_reason(tmp_path: Path) -> None:
    async with answering(tmp_path, {"tool": "no_tool", "reason": "need an order"}) as (gw, script):
        *_, message = output_of(await ask(gw, DESK), "mcp_list_tools", "message")
        required = await ask(gw, DESK, tool_choice="required")
        *_, refused = output_of(required, "mcp_list_tools", "message")
        assert dispatched(script) == 0
    assert message["content"][0]["text"] == "need an order"
    assert refused["content"] == [{"type": "refusal", "refusal": "need an order"}]


async def test_several_calls_are_made_in_their_order(tmp_path: Path) -> None:
    async with answering(tmp_path, {"calls": [TRACK, CANCEL]}) as (gateway, _):
        response = await ask(gateway, DESK)
        few = await ask(gateway, DESK, max_tool_calls=1)
    _, *calls, message = output_of(response, "mcp_list_tools", "mcp_call", "mcp_call", "message")
    assert [call["name"] for call in calls] == ["track_order", "cancel_order"]
    assert message["content"][0]["text"] == "\n".join(call["output"] for call in calls)
    *_, refused = output_of(few, "mcp_list_tools", "message")
    assert "no more than 1 calls" in refused["content"][0]["refusal"]


@pytest.mark.parametrize(
    ("tool", "status", "words"),
    [
        ({"server_label": "unheard"}, 404, "unheard"),
        ({"server_url": "http://127.0.0.1:9/mcp"}, 403, "server_url is not that of"),
        ({"server_label": "x", "server_url": "https://evil.test/mcp"}, 403, "server_url"),
        ({"connector_id": "connector_gmail"}, 422, "connector_id"),
        ({"headers": {"Authorization": "Bearer hush-4711"}}, 422, "credentials"),
        ({"authorization": "hush-4711"}, 422, "credentials"),
        ({"require_approval": "sometimes"}, 422, "require_approval"),
    ],
)
async def test_only_registered_servers_are_called(
    tmp_path: Path, tool: dict[str, Any], status: int, words: str
) -> None:
    async with answering(tmp_path) as (gateway, script):
        response = await ask(gateway, {**DESK, **tool})
        assert dispatched(script) == 0
    assert response.status_code == status
    assert words in error_of(response)["message"]
    assert "hush-4711" not in response.text


async def test_the_url_of_a_foreign_server_is_never_contacted(tmp_path: Path) -> None:
    double = LlmDouble()
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            seen.append(scope["path"])
        await double.app(scope, receive, send)

    async with http(app) as port, answering(tmp_path) as (gateway, _):
        tool = {**DESK, "server_url": f"http://127.0.0.1:{port}/mcp"}
        assert (await ask(gateway, tool)).status_code == 403
    assert seen == []


async def test_only_allowed_tools_are_listed_and_called(tmp_path: Path) -> None:
    async with answering(tmp_path) as (gateway, script):
        response = await ask(gateway, {**DESK, "allowed_tools": ["escalate"]})
        readers = await ask(gateway, {**DESK, "allowed_tools": {"read_only": True}})
        assert dispatched(script) == 1
    listed, message = output_of(response, "mcp_list_tools", "message")
    assert [tool["name"] for tool in listed["tools"]] == ["escalate"]
    assert "track_order is not among the tools" in message["content"][0]["text"]
    listed = output_of(readers, "mcp_list_tools", "mcp_call", "message")[0]
    assert "cancel_order" not in [tool["name"] for tool in listed["tools"]]


async def test_calls_of_the_agents_own_tools_are_the_agents_to_make(tmp_path: Path) -> None:
    parameters = {"type": "object", "properties": {"order_id": {"type": "string"}}}
    own = {"type": "function", "name": "track_order", "parameters": parameters}
    async with answering(tmp_path) as (gateway, script):
        response = await ask(gateway, own)
        (call,) = output_of(response, "function_call")
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "soon"}
        before = response.json()["id"]
        (message,) = output_of(
            await ask(gateway, own, input=[output], previous_response_id=before), "message"
        )
        assert dispatched(script) == 0
        double = await ask(gateway, own, DESK)
    assert (call["name"], json.loads(call["arguments"])) == ("track_order", TRACK["arguments"])
    assert message["content"][0]["text"] == "soon"
    assert double.status_code == 422
    assert "offered twice" in error_of(double)["message"]


async def test_a_server_that_fails_is_an_item_with_the_error(tmp_path: Path) -> None:
    async with answering(tmp_path) as (gateway, script):
        script.tell_pages([], dies_of=["tools/call"])
        _, call, _ = output_of(await ask(gateway, DESK), "mcp_list_tools", "mcp_call", "message")
    assert (call["status"], call["output"]) == ("failed", None)
    assert "script" in call["error"]


async def test_calls_behind_one_that_failed_are_not_made(tmp_path: Path) -> None:
    async with answering(tmp_path, {"calls": [TRACK, CANCEL]}) as (gateway, script):
        script.tell_pages([], dies_of=["tools/call"])
        response = await ask(gateway, DESK)
        assert dispatched(script) == 1
    _, track, cancel, _ = output_of(response, "mcp_list_tools", "mcp_call", "mcp_call", "message")
    assert [call["status"] for call in (track, cancel)] == ["failed", "failed"]
    assert cancel["error"] == "not made: an earlier call failed"


async def test_the_same_call_twice_in_one_answer_is_not_made(tmp_path: Path) -> None:
    async with answering(tmp_path, {"calls": [CANCEL, CANCEL]}) as (gateway, script):
        response = await ask(gateway, DESK)
        assert dispatched(script) == 0
    _, message = output_of(response, "mcp_list_tools", "message")
    assert "stands twice" in message["content"][0]["text"]


async def test_what_an_answer_is_written_with_goes_on_to_the_fallback(tmp_path: Path) -> None:
    double = LlmDouble(calls(("track_order", TRACK["arguments"]), text="I look."), says("Here."))
    body = {"reasoning": {"effort": "low"}, "text": {"verbosity": "low"}, "max_output_tokens": 99}
    no_tool = {"tool": "no_tool", "reason": "not mine"}
    async with http(double.app) as port:
        fallback = {"url": f"http://127.0.0.1:{port}/v1", "model": "big"}
        async with answering(tmp_path, no_tool, fallback=fallback) as (gateway, _):
            response = await ask(gateway, DESK, **body)
    _, words, _, answer = output_of(response, "mcp_list_tools", "message", "mcp_call", "message")
    assert [item["content"][0]["text"] for item in (words, answer)] == ["I look.", "Here."]
    assert response.json()["reasoning"] == {"effort": "low"}
    wanted = {"reasoning_effort": "low", "verbosity": "low", "max_completion_tokens": 99}
    assert [asked.items() >= wanted.items() for asked in double.asked] == [True, True]


async def test_with_a_fallback_the_rounds_go_on_until_it_answers_in_words(tmp_path: Path) -> None:
    double = LlmDouble(
        calls(("cancel_order", CANCEL["arguments"])), says("Cancelled, as it was late.")
    )
    async with http(double.app) as port:
        fallback = {"url": f"http://127.0.0.1:{port}/v1", "model": "big"}
        async with answering(tmp_path, fallback=fallback) as (gateway, script):
            response = await ask(gateway, DESK, instructions="Be kind.", tool_choice="required")
            assert dispatched(script) == 2
    _, track, cancel, message = output_of(
        response, "mcp_list_tools", "mcp_call", "mcp_call", "message"
    )
    assert (track["name"], cancel["name"]) == ("track_order", "cancel_order")
    assert message["content"][0]["text"] == "Cancelled, as it was late."
    system, user, made, told = double.asked[0]["messages"]
    assert (system["content"], user["content"], told["content"]) == ("Be kind.", ASK, ECHO)
    assert made["tool_calls"][0]["id"] == told["tool_call_id"] == track["id"]
    assert double.asked[0]["tool_choice"] == "auto"
    assert response.json()["model"] == "big-llm-1"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"background": True}, "background"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"text": {"format": {"type": "json_object"}}}, "text.format"),
        ({"input": []}, "empty"),
        ({"input": [{"type": "image_generation_call"}]}, "image_generation_call"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "text alone"),
        ({"input": [{"type": "function_call", "name": "x"}]}, "input[0] lacks"),
        ({"input": [{"role": "user", "content": None}]}, "input[0]: a member is of the wrong type"),
        ({"input": [{"role": "user", "content": ["x"]}]}, "input[0]: a member is of the wrong"),
        ({"input": [{"type": ["message"], "role": "user"}]}, "input[0].type must be a text"),
        (
            {"input": [{"type": "mcp_list_tools", "server_label": ["x"]}]},
            "input[0].server_label must",
        ),
        ({"input": [{"type": "mcp_approval_request", "id": [1]}]}, "input[0].id must be a text"),
        ({"input": [{"type": "function_call_output", "call_id": ["c"], "output": ""}]}, "call_id"),
        ({"reasoning": {"effort": "low", "summary": "auto"}}, "reasoning.summary"),
        ({"top_logprobs": 5}, "top_logprobs"),
        ({"include": ["message.output_text.logprobs"]}, "logprobs"),
        ({"truncation": "auto"}, "truncation"),
        ({"context_management": [{"type": "compaction"}]}, "context_management"),
        ({"input": [{"type": "function_call_output", "call_id": "c", "output": ""}]}, "'c', which"),
        ({"input": [{"role": "robot", "content": "x"}]}, "role"),
        ({"tools": [{"type": "web_search"}]}, "tools[0]"),
        ({"tool_choice": {"type": "allowed_tools"}}, "tool_choice"),
        ({"previous_response_id": "resp_0"}, "resp_0"),
    ],
)
async def test_what_cannot_be_honoured_is_refused(
    tmp_path: Path, body: dict[str, Any], words: str
) -> None:
    async with answering(tmp_path) as (gateway, script):
        response = await gateway.post("/v1/responses", {"input": ASK, **body})
        assert dispatched(script) == 0
    assert response.status_code == (404 if "previous_response_id" in body else 422)
    assert words in error_of(response)["message"]


@pytest.mark.parametrize(
    "body",
    [
        {"text": {"format": {"type": "text"}}},
        {"text": {"format": {"type": "text"}, "verbosity": "low"}},
        {"text": None, "background": False, "stream": False, "prompt": None},
        {"include": [], "truncation": "disabled", "tool_choice": "auto"},
        {"reasoning": {"effort": "none"}, "include": ["reasoning.encrypted_content"]},
        {"reasoning": None, "include": None, "truncation": None, "top_logprobs": None},
    ],
)
async def test_what_clients_send_by_default_is_accepted(
    tmp_path: Path, body: dict[str, Any]
) -> None:
    async with answering(tmp_path) as (gateway, _):
        output_of(await ask(gateway, DESK, **body), "mcp_list_tools", "mcp_call", "message")
