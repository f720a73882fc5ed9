"""`tool_choice`, `parallel_tool_calls` and `stop`: what the agent lets the router do."""

from pathlib import Path
from typing import Any

import pytest

from gateway.engines.scripted import ScriptedEngine
from tests.gateway.faces.chats import chat, message_of, offered_desk
from tests.gateway.faces.respond import CANCEL
from tests.gateway.serving import ASK, TRACK, desk, served, settings

NO_TOOL = {"tool": "no_tool", "reason": "need an order"}


def named(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


@pytest.mark.parametrize("tools", [None, offered_desk()], ids=["without tools", "with tools"])
@pytest.mark.parametrize("choice", ["auto", "required", named("track_order")], ids=str)
async def test_a_call_that_the_choice_lets_through_is_made(
    tmp_path: Path, choice: Any, tools: Any
) -> None:
    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, script.config())) as gateway:
        response = await chat(gateway, tool_choice=choice, tools=tools)
    assert message_of(response)["finish_reason"] == "tool_calls"
    assert response.headers["X-Pointsman-Path"] == "router"


@pytest.mark.parametrize(
    ("answer", "choice", "words"),
    [
        (NO_TOOL, "required", "need an order"),
        (NO_TOOL, named("track_order"), "need an order"),
        (TRACK, named("cancel_order"), "tool_choice names cancel_order, not track_order"),
        ({**TRACK, "arguments": {"order_id": "ORD-9999"}}, "required", "not in the conversation"),
        ("no JSON", "required", "not JSON"),
    ],
)
async def test_a_forced_call_that_is_withheld_is_refused_with_the_reason(
    tmp_path: Path, answer: Any, choice: Any, words: str
) -> None:
    script = desk(tmp_path / "desk")
    engine = ScriptedEngine({ASK: answer})
    async with served(settings(tmp_path, script.config()), engine) as gateway:
        response = await chat(gateway, tool_choice=choice)
    message = message_of(response)
    assert message["content"] is None
    assert words in message["refusal"]
    assert message["finish_reason"] == "stop"
    assert "tool_calls" not in message
    assert response.headers["X-Pointsman-Outcome"] != "call"


async def test_forcing_a_call_leaves_no_tool_in_the_grammar(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    engine = ScriptedEngine({ASK: TRACK})
    async with served(settings(tmp_path, script.config()), engine) as gateway:
        await chat(gateway)
        await chat(gateway, tool_choice="required")
        await chat(gateway, tool_choice=named("track_order"))
    free, *forced = engine.prompts
    assert "no_tool" in str(free.schema)
    assert forced == [free, free]


async def test_several_calls_are_withheld_from_an_agent_that_takes_one(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    engine = ScriptedEngine({ASK: {"calls": [TRACK, CANCEL]}})
    async with served(settings(tmp_path, script.config()), engine) as gateway:
        both = message_of(await chat(gateway, parallel_tool_calls=True))
        none = message_of(await chat(gateway, parallel_tool_calls=False))
    assert len(both["tool_calls"]) == 2
    assert "tool_calls" not in none
    assert "parallel_tool_calls is false" in none["content"]


async def test_one_call_is_enough_for_an_agent_that_takes_one(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, script.config())) as gateway:
        message = message_of(await chat(gateway, parallel_tool_calls=False))
    assert len(message["tool_calls"]) == 1


@pytest.mark.parametrize(
    ("stop", "content"),
    [("an", "need "), (["order", "ee"], "n"), (["never"], "need an order"), ([], "need an order")],
)
async def test_a_text_ends_where_it_is_to_stop(tmp_path: Path, stop: Any, content: str) -> None:
    script = desk(tmp_path / "desk")
    engine = ScriptedEngine({ASK: NO_TOOL})
    async with served(settings(tmp_path, script.config()), engine) as gateway:
        assert message_of(await chat(gateway, stop=stop))["content"] == content
