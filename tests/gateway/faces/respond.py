"""What the tests of the Responses API share: a gateway, asking it, and reading its items."""

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
