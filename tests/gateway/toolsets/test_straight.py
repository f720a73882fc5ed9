"""Requests past the SDK's client: every kind of answer, and what the server sees of them."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from gateway.config import ServerConfig
from gateway.toolsets.straight import Straight, straight_way
from tests.gateway.toolsets.upstream_doubles import http


@asynccontextmanager
async def way(answer: Any, seen: list[Any]) -> AsyncGenerator[Straight]:
    async def served(request: Request) -> Response:
        message = await request.json()
        seen.append((dict(request.headers), message))
        return answer(message)

    async with http(Starlette(routes=[Route("/mcp", served, methods=["POST"])])) as port:
        config = ServerConfig.model_validate(
            {"name": "s", "url": f"http://127.0.0.1:{port}/mcp", "headers": {"x-key": "secret"}}
        )
        async with straight_way(config) as straight:
            assert straight is not None
            yield straight


def result(message: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": message["id"], "result": {"said": "😀"}}


def events(*messages: Any) -> Response:
    lines = "".join(f"event: message\ndata: {json.dumps(item)}\n\n" for item in messages)
    return Response(lines, media_type="text/event-stream")


async def test_a_json_answer_is_the_result_and_headers_reach_the_server() -> None:
    seen: list[Any] = []
    async with way(lambda message: JSONResponse(result(message)), seen) as straight:
        found = await straight.request("tools/call", {"name": "x"}, {"mcp-name": "x"}, None)
    assert found == {"said": "😀"}
    ((headers, message),) = seen
    assert (headers["x-key"], headers["mcp-name"]) == ("secret", "x")
    assert (message["method"], message["params"]) == ("tools/call", {"name": "x"})


async def test_a_stream_of_events_ends_with_the_result() -> None:
    log = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "so far"}}
    async with way(lambda message: events(log, result(message)), []) as straight:
        assert await straight.request("tools/call", {}, {}, None) == {"said": "😀"}


def refused(message: Any) -> Response:
    error = {"code": -32602, "message": "no such tool"}
    return JSONResponse({"jsonrpc": "2.0", "id": message["id"], "error": error}, 400)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (refused, "no such tool"),
        (lambda _: events(), "without a response"),
        (lambda _: Response("{", media_type="application/json"), "Failed to parse"),
        (lambda m: JSONResponse({**result(m), "id": 77}), "another request"),
        (lambda _: Response("<html>", media_type="text/html"), "content type"),
        (lambda _: Response(status_code=500), "error response"),
    ],
    ids=["refused", "no end", "no json", "foreign id", "html", "500"],
)
async def test_what_is_no_result_is_an_error_and_is_not_sent_again(answer: Any, said: str) -> None:
    seen: list[Any] = []
    async with way(answer, seen) as straight:
        with pytest.raises(MCPError, match=said):
            await straight.request("tools/call", {}, {}, None)
    assert len(seen) == 1


async def test_a_server_that_sends_elsewhere_is_left_to_the_sdk() -> None:
    async with way(lambda _: RedirectResponse("/other"), []) as straight:
        assert await straight.request("tools/call", {}, {}, None) is None
        assert not straight.usable
