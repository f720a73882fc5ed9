"""Chat Completions: an agent changes its base URL, and what cannot be honoured is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.engines.base import Prompt
from gateway.engines.scripted import ScriptedEngine
from tests.gateway.faces.chats import USER, chat, error_of, message_of, offered, offered_desk
from tests.gateway.faces.respond import CANCEL
from tests.gateway.serving import (
    ASK,
    TRACK,
    desk,
    dispatched,
    served,
    settings,
    tell_desk,
)


@pytest.mark.parametrize("tools", [None, offered_desk()], ids=["without tools", "with tools"])
async def test_a_request_is_answered_with_a_tool_call_that_the_agent_makes(
    tmp_path: Path, tools: Any
) -> None:
    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, script.config())) as gateway:
        response = await chat(gateway, model="support", tools=tools)
        assert dispatched(script) == 0
        version = gateway.parts.active.all[0].adapter.version
    body, message = response.json(), message_of(response)
    assert (body["object"], body["model"]) == ("chat.completion", version)
    usage = body["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0
    assert (message["content"], message["finish_reason"]) == (None, "tool_calls")
    (call,) = message["tool_calls"]
    assert call["id"].startswith("call_")
    assert (call["type"], call["function"]["name"]) == ("function", "track_order")
    assert json.loads(call["function"]["arguments"]) == TRACK["arguments"]
    assert response.headers["X-Pointsman-Outcome"] == "call"
    assert "X-Pointsman-Drift" not in response.headers


async def test_several_calls_carry_different_ids(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    engine = ScriptedEngine({ASK: {"calls": [TRACK, CANCEL]}})
    async with served(settings(tmp_path, script.config()), engine) as gateway:
        calls = message_of(await chat(gateway))["tool_calls"]
    assert len({call["id"] for call in calls}) == 2


@pytest.mark.parametrize(
    ("answer", "outcome", "words"),
    [
        ({"tool": "no_tool", "reason": "need an order"}, "no_tool", "need an order"),
        ({"tool": "track_order", "arguments": {"order_id": "ORD-9999"}}, "abstained", "ORD-9999"),
        ("no JSON", "invalid", "not JSON"),
    ],
)
async def test_what_is_not_called_is_answered_with_the_reason(
    tmp_path: Path, answer: Any, outcome: str, words: str
) -> None:
    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, script.config()), ScriptedEngine({ASK: answer})) as gw:
        response = await chat(gw)
    message = message_of(response)
    assert response.headers["X-Pointsman-Outcome"] == outcome
    assert (message["role"], message["finish_reason"]) == ("assistant", "stop")
    assert words in message["content"]
    assert "tool_calls" not in message


@pytest.mark.parametrize(
    "tools",
    [
        [],
        [offered("other", type="object")],
        [offered("track_order", type="object", required=["email"])],
        [offered("track_order", type="object", required=5)],
        [offered("track_order", type="no such type")],
        [offered("track_order", **{"type": "object", "\ud800": "\ud800"})],
    ],
    ids=["none", "another", "own schema", "broken", "no schema", "half a pair"],
)
async def test_only_the_agents_own_tools_in_its_own_form_are_called(
    tmp_path: Path, tools: Any
) -> None:
    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, script.config())) as gateway:
        response = await chat(gateway, tools=tools)
    assert response.status_code == 200
    assert response.headers["X-Pointsman-Outcome"] in ("invalid", "abstained")
    assert response.headers["X-Pointsman-Drift"].startswith("removed; adapter=support; tools=")


async def test_live_drift_stands_in_the_header(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk", 1)
    async with served(settings(tmp_path, script.config())) as gateway:
        tell_desk(script, 2)
        await gateway.parts.watch.refresh("script")
        response = await chat(gateway)
    assert response.headers["X-Pointsman-Drift"].startswith("removed; adapter=support;")


async def test_a_history_with_tools_becomes_the_prompt(tmp_path: Path) -> None:
    prompts: list[Prompt] = []

    def answer(prompt: Prompt) -> Any:
        prompts.append(prompt)
        return TRACK

    made = {"name": "search_help", "arguments": '{"query": "where is my order"}'}
    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, script.config()), ScriptedEngine(answer)) as gateway:
        response = await chat(
            gateway,
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "help"}]},
            {"role": "assistant", "content": None,
             "tool_calls": [{"id": "c1", "type": "function", "function": made}]},
            {"role": "tool", "tool_call_id": "c1", "content": "Ask for the order."},
            {"role": "assistant", "content": "Which order?"},
            {"role": "user", "content": [{"type": "text", "text": "where is "},
                                         {"type": "text", "text": "ORD-1234?"}], "name": "anna"},
        )  # fmt: skip
    assert message_of(response)["finish_reason"] == "tool_calls"
    ((_, *turns),) = (prompt.messages for prompt in prompts)
    assert [(turn["role"], turn["content"]) for turn in turns[:4]] == [
        ("user", "help"),
        ("assistant", '{"tool": "search_help", "arguments": {"query": "where is my order"}}'),
        ("user", "Tool result: Ask for the order."),
        ("assistant", "Which order?"),
    ]
    assert "ORD-1234?" in turns[4]["content"]


async def test_after_a_tools_result_the_result_is_the_answer(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    engine = ScriptedEngine({ASK: TRACK})
    made = {"name": "track_order", "arguments": "{}"}
    async with served(settings(tmp_path, script.config()), engine) as gateway:
        response = await chat(
            gateway,
            USER,
            {"role": "assistant", "tool_calls": [{"id": "c", "function": made}]},
            {"role": "tool", "tool_call_id": "c", "content": "It is on its way."},
        )
    message = message_of(response)
    assert (message["content"], message["finish_reason"]) == ("It is on its way.", "stop")
    assert engine.prompts == []


async def test_tool_choice_none_calls_nothing(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    engine = ScriptedEngine({ASK: TRACK})
    async with served(settings(tmp_path, script.config()), engine) as gateway:
        message = message_of(await chat(gateway, tool_choice="none", tools=offered_desk()))
    assert message["finish_reason"] == "stop"
    assert "tool_calls" not in message
    assert engine.prompts == []


def called_with(arguments: str) -> list[dict[str, Any]]:
    function = {"name": "track_order", "arguments": arguments}
    return [USER, {"role": "assistant", "tool_calls": [{"id": "c", "function": function}]}, USER]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"n": 2}, "n must be 1"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"tool_choice": "perhaps"}, "tool_choice"),
        ({"tool_choice": {"type": "allowed_tools"}}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "x"}}}, "'x', which is not"),
        ({"tool_choice": "required", "tools": []}, "there are no tools"),
        ({"stop": ["a"] * 5}, "stop"),
        ({"logprobs": True}, "logprobs"),
        ({"prediction": {"type": "content", "content": "x"}}, "prediction"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"tools": [offered("not.a.name")]}, "tools[0].function.name"),
        ({"messages": [USER, {"role": "tool", "tool_call_id": "c", "content": ""}]}, "'c', which"),
        ({"messages": [{"role": "tool", "tool_call_id": ["c"]}]}, "messages[0].tool_call_id"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "text"),
        ({"messages": [{"role": "user", "content": "half \ud83d a pair"}]}, "Unicode"),
        ({"messages": called_with("{")}, "not JSON"),
        ({"messages": called_with("[]")}, "JSON object"),
        ({"messages": called_with('{"a": "\\ud800"}')}, "not JSON"),
        ({"messages": called_with('{"a": NaN}')}, "not JSON"),
        ({"messages": called_with("[" * 100_000)}, "not JSON"),
        ({"tools": [{"type": "web_search"}]}, "tools[0]"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"model": 5}, "model"),
    ],
)
async def test_what_cannot_be_honoured_is_refused_before_the_model_is_asked(
    tmp_path: Path, body: dict[str, Any], words: str
) -> None:
    script = desk(tmp_path / "desk")
    engine = ScriptedEngine({ASK: TRACK})
    async with served(settings(tmp_path, script.config()), engine) as gateway:
        response = await chat(gateway, **body)
    error = error_of(response)
    assert (response.status_code, error["code"]) == (422, "malformed_request")
    assert error["type"] == "invalid_request_error"
    assert words in error["message"]
    assert engine.prompts == []


@pytest.mark.parametrize("depth", [100, 300, 400, 430, 450, 470, 490, 700, 100_000])
async def test_a_schema_nested_without_end_is_never_called(tmp_path: Path, depth: int) -> None:
    nested = b'{"type": "object", "properties": {"a": ' * depth + b"{}" + b"}}" * depth
    function = b'{"name": "track_order", "parameters": ' + nested + b"}"
    tools = b'[{"type": "function", "function": ' + function + b"}]"
    body = json.dumps({"messages": [USER], "tools": []}).encode().replace(b"[]", tools)
    limits = {"body_bytes": 10_000_000}
    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, script.config(), limits=limits)) as gateway:
        response = await gateway.post("/v1/chat/completions", body)
    if response.status_code == 200:
        assert response.headers["X-Pointsman-Outcome"] == "invalid"
    else:
        assert error_of(response)["code"] == "malformed_request"


@pytest.mark.parametrize(
    "same",
    [
        {"stream": False},
        {"n": 1},
        {"response_format": {"type": "text"}},
        {"tool_choice": "auto"},
        {"temperature": 0, "user": "u", "seed": 1},
    ],
)
async def test_what_changes_nothing_is_accepted(tmp_path: Path, same: dict[str, Any]) -> None:
    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, script.config())) as gateway:
        assert message_of(await chat(gateway, **same))["finish_reason"] == "tool_calls"


async def test_an_unknown_model_and_a_long_conversation_are_refused(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, script.config())) as gateway:
        response = await chat(gateway, model="gpt-6")
        assert (response.status_code, error_of(response)["code"]) == (404, "unknown_model")
        long = {"role": "user", "content": "help! " * 16_667}
        response = await chat(gateway, long)
        assert (response.status_code, error_of(response)["code"]) == (413, "too_large")


async def test_models_lists_every_name_that_can_be_asked_for(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, script.config())) as gateway:
        body = (await gateway.client.get("/v1/models")).json()
        version = gateway.parts.active.all[0].adapter.version
        assert [model["id"] for model in body["data"]] == ["auto", "support", version]
        for model in body["data"]:
            assert (await chat(gateway, model=model["id"])).status_code == 200


async def test_each_listed_model_can_be_looked_up_and_no_other(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, script.config())) as gateway:
        for listed in (await gateway.client.get("/v1/models")).json()["data"]:
            assert (await gateway.client.get(f"/v1/models/{listed['id']}")).json() == listed
        unknown = await gateway.client.get("/v1/models/nobody")
    assert unknown.status_code == 404
    assert error_of(unknown)["code"] == "unknown_model"
