"""Streams of the Responses API: the events that OpenAI's clients read, and what ends them."""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gateway.app import build_app
from gateway.engines.scripted import ScriptedEngine
from tests.gateway.faces.chats import error_of, leave, listed
from tests.gateway.faces.respond import (
    ASKING,
    CANCEL,
    DESK,
    ECHO,
    OWN,
    answering,
    approval,
    ask,
    built,
    events_of,
    told,
)
from tests.gateway.serving import ASK, TRACK, desk, dispatched, hanging, settings

ITEM = ["output_item.added", "output_item.done"]
NO_TOOL = {"tool": "no_tool", "reason": "need an order"}


def kinds(events: list[dict[str, Any]]) -> list[str]:
    """The types of events, between the two that begin a response and the last."""
    return [event["type"].removeprefix("response.") for event in events[2:-1]]


async def test_a_call_of_an_own_tool_is_told_in_the_order_of_openais_events(
    tmp_path: Path,
) -> None:
    async with answering(tmp_path) as (gateway, script):
        response = await ask(gateway, OWN, stream=True)
        assert dispatched(script) == 0
    events = events_of(response)
    assert kinds(events) == [
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
    ]
    first, last = events[0]["response"], events[-1]["response"]
    assert (first["status"], first["output"], first["usage"]) == ("in_progress", [], None)
    assert events[-1]["type"] == "response.completed"
    assert (last["status"], last["id"], last["model"]) == ("completed", first["id"], first["model"])
    assert last["usage"]["total_tokens"] > 0
    (call,) = built(events)
    assert (call["name"], json.loads(call["arguments"])) == ("track_order", TRACK["arguments"])
    assert call["call_id"].startswith("call_")
    assert response.headers["X-Pointsman-Outcome"] == "call"
    assert response.headers["X-Pointsman-Path"] == "router"


async def test_a_streamed_response_is_the_same_as_a_whole_one(tmp_path: Path) -> None:
    async with answering(tmp_path, {"calls": [TRACK, CANCEL]}) as (gateway, _):
        whole = (await ask(gateway, DESK)).json()
        streamed = (await told(gateway, DESK))[-1]["response"]
    assert list(streamed) == list(whole)
    assert [without_ids(item) for item in streamed["output"]] == [
        without_ids(item) for item in whole["output"]
    ]
    for key in ("usage", "model", "status", "tools", "tool_choice", "error", "object"):
        assert streamed[key] == whole[key]


def without_ids(item: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key != "id"}


async def test_a_call_to_a_server_is_told_with_its_list_its_progress_and_its_end(
    tmp_path: Path,
) -> None:
    async with answering(tmp_path) as (gateway, script):
        events = await told(gateway, DESK)
        assert dispatched(script) == 1
    listing = ["mcp_list_tools.in_progress", "mcp_list_tools.completed"]
    call = ["mcp_call.in_progress", "mcp_call_arguments.delta", "mcp_call_arguments.done",
            "mcp_call.completed"]  # fmt: skip
    text = ["content_part.added", "output_text.delta", "output_text.done", "content_part.done"]
    assert kinds(events) == [
        *(ITEM[0], *listing, ITEM[1]),
        *(ITEM[0], *call, ITEM[1]),
        *(ITEM[0], *text, ITEM[1]),
    ]
    listed, made, message = built(events)
    assert {"track_order", "escalate"} <= {tool["name"] for tool in listed["tools"]}
    assert (made["output"], made["status"]) == (ECHO, "completed")
    assert message["content"] == [{"type": "output_text", "text": ECHO, "annotations": []}]
    added = next(e["item"] for e in events if e["type"].endswith("added") and e["output_index"])
    assert (added["status"], added["output"], added["arguments"]) == ("in_progress", None, "")


async def test_a_call_that_fails_is_told_as_failed(tmp_path: Path) -> None:
    async with answering(tmp_path) as (gateway, script):
        script.tell_pages([], dies_of=["tools/call"])
        events = await told(gateway, DESK)
    assert "mcp_call.failed" in kinds(events)
    assert "mcp_call.completed" not in kinds(events)
    _, made, _ = built(events)
    assert (made["status"], made["output"]) == ("failed", None)
    assert events[-1]["type"] == "response.completed"


@pytest.mark.parametrize("choice", ["auto", "required"])
async def test_a_reason_is_streamed_as_text_or_as_a_refusal(tmp_path: Path, choice: str) -> None:
    async with answering(tmp_path, NO_TOOL) as (gateway, _):
        events = await told(gateway, OWN, tool_choice=choice)
    (message,) = built(events)
    part = "output_text" if choice == "auto" else "refusal"
    assert {f"{part}.delta", f"{part}.done"} <= set(kinds(events))
    (content,) = message["content"]
    assert (content["type"], message["status"]) == (part, "completed")
    assert "need an order" in content.values()


async def test_an_approval_is_asked_for_and_the_approved_call_is_told(tmp_path: Path) -> None:
    async with answering(tmp_path) as (gateway, script):
        asked = await told(gateway, ASKING)
        assert dispatched(script) == 0
        _, request = built(asked)
        before = asked[-1]["response"]["id"]
        events = await told(gateway, ASKING, input=[approval(request)], previous_response_id=before)
        assert dispatched(script) == 1
        again = await ask(gateway, ASKING, input=[approval(request)],
                          previous_response_id=before, stream=True)  # fmt: skip
        assert dispatched(script) == 1
    assert request["type"] == "mcp_approval_request"
    assert kinds(asked)[-2:] == ITEM
    call, message = built(events)
    assert (call["approval_request_id"], call["output"]) == (request["id"], ECHO)
    assert message["content"][0]["text"] == ECHO
    assert (again.status_code, error_of(again)["code"]) == (404, "not_found")


async def test_a_streamed_response_is_kept_unless_store_is_false(tmp_path: Path) -> None:
    async with answering(tmp_path) as (gateway, _):
        first = (await told(gateway, OWN))[-1]["response"]
        unkept = (await told(gateway, OWN, store=False))[-1]["response"]
        output = {
            "type": "function_call_output", "output": "soon",
            "call_id": first["output"][0]["call_id"],
        }  # fmt: skip
        events = await told(gateway, OWN, input=[output], previous_response_id=first["id"])
        missing = await ask(gateway, OWN, previous_response_id=unkept["id"], stream=True)
    assert built(events)[0]["content"][0]["text"] == "soon"
    assert missing.status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"model": "gpt-6"}, 404, "gpt-6"),
        ({"background": True}, 422, "background"),
        ({"input": []}, 422, "empty"),
        ({"tools": [{**DESK, "server_label": "unheard"}]}, 404, "unheard"),
        ({"tool_choice": "required", "tools": []}, 422, "no tools"),
    ],
)
async def test_what_fails_before_the_stream_has_its_status(
    tmp_path: Path, body: dict[str, Any], status: int, words: str
) -> None:
    async with answering(tmp_path) as (gateway, script):
        response = await gateway.post("/v1/responses", {"input": ASK, "stream": True, **body})
        assert dispatched(script) == 0
    assert response.status_code == status
    assert words in error_of(response)["message"]


async def test_a_call_in_progress_is_cancelled_when_the_client_goes(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    app = build_app(settings(tmp_path, script.config()), engine=ScriptedEngine({ASK: TRACK}))
    seen: list[bytes] = []

    async def send(message: Any) -> None:
        seen.append(message.get("body", b""))

    async with listed(app) as parts:
        script.tell_pages([], ignores=["tools/call"])
        body = {"input": ASK, "tools": [DESK], "stream": True}
        await leave(app, "/v1/responses", body, partial(hanging, script), send)
        kept = await parts.records.calls()
    outcomes = {row["outcome"] for row in kept}
    assert outcomes == {"call", "cancelled"}  # routed, and broken off
    assert b"response.mcp_call.in_progress" in b"".join(seen)
    assert b"response.completed" not in b"".join(seen)
