"""What the tests of the Responses API share: a gateway, asking it, and reading its items."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from gateway.engines.scripted import ScriptedEngine
from tests.gateway.serving import ASK, TRACK, Served, desk, served, settings
from tests.gateway.toolsets.upstream_doubles import Script

DESK: Mapping[str, Any] = {"type": "mcp", "server_label": "script", "require_approval": "never"}
ASKING = {**DESK, "require_approval": "always"}
OWN = {
    "type": "function",
    "name": "track_order",
    "parameters": {"type": "object", "properties": {"order_id": {"type": "string"}}},
}
CANCEL = {"tool": "cancel_order", "arguments": {"order_id": "ORD-1234"}}
ECHO = 'track_order{"order_id": "ORD-1234"}'


@asynccontextmanager
async def answering(
    tmp_path: Path, answer: Any = TRACK, **more: Any
) -> AsyncIterator[tuple[Served, Script]]:
    script = desk(tmp_path / "desk")
    engine = ScriptedEngine({ASK: answer})
    async with served(settings(tmp_path, script.config(), **more), engine) as gateway:
        yield gateway, script


async def ask(gateway: Served, *tools: Any, input: Any = ASK, **body: Any) -> httpx.Response:
    return await gateway.post("/v1/responses", {"input": input, "tools": list(tools), **body})


def output_of(response: httpx.Response, *kinds: str) -> list[dict[str, Any]]:
    """The output items of a response, of exactly these types."""
    body = response.json()
    assert response.status_code == 200, body
    assert (body["object"], body["status"], body["error"]) == ("response", "completed", None)
    assert [item["type"] for item in body["output"]] == list(kinds)
    return body["output"]


def approval(request: dict[str, Any], approve: bool = True) -> dict[str, Any]:
    return {
        "type": "mcp_approval_response", "approval_request_id": request["id"], "approve": approve,
    }  # fmt: skip


async def told(gateway: Served, *tools: Any, **body: Any) -> list[dict[str, Any]]:
    """The events of a streamed response, each named by its type and numbered."""
    response = await ask(gateway, *tools, stream=True, **body)
    return events_of(response)


def events_of(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    *blocks, end = response.text.split("\n\n")
    assert end == ""
    events: list[dict[str, Any]] = []
    for block in blocks:
        name, data = block.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        events.append(event)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [event["type"] for event in events[:2]] == [
        "response.created",
        "response.in_progress",
    ]
    return events


def built(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The output items, put together from the deltas as a client does, and checked for being what
    the events of their ends say, and the response at last."""
    items: list[dict[str, Any]] = []
    done: list[dict[str, Any]] = []
    for event in events:
        kind = event["type"]
        if kind == "response.output_item.added":
            assert event["output_index"] == len(items) == len(done)
            items.append(json.loads(json.dumps(event["item"])))
        elif kind == "response.output_item.done":
            assert event["output_index"] == len(items) - 1
            done.append(event["item"])
        elif "item_id" in event:
            assert (event["item_id"], event["output_index"]) == (items[-1]["id"], len(items) - 1)
            _grow(items[-1], event)
    for item, whole in zip(items, done, strict=True):
        members = ("id", "type", "name", "arguments", "content")
        assert [item.get(key) for key in members] == [whole.get(key) for key in members]
    assert events[-1]["response"]["output"] == done
    return done


def _grow(item: dict[str, Any], event: dict[str, Any]) -> None:
    _, part, step = event["type"].split(".")
    if part == "content_part" and step == "added":
        assert event["content_index"] == len(item["content"])
        item["content"].append(event["part"])
    elif part == "content_part":
        assert item["content"][event["content_index"]] == event["part"]
    elif part in ("output_text", "refusal"):
        key = "text" if part == "output_text" else part
        content = item["content"][event["content_index"]]
        if step == "delta":
            content[key] += event["delta"]
        else:
            assert content[key] == event[key]
    elif part in ("function_call_arguments", "mcp_call_arguments"):
        if step == "delta":
            item["arguments"] += event["delta"]
        else:
            assert item["arguments"] == event["arguments"]
