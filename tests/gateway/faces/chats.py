"""What the tests of OpenAI's faces share: asking a served gateway, and reading what it answers."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI

from gateway.faces.parts import Parts
from tests.adapters import support_toolset
from tests.gateway.serving import ASK, Served, problem_of
from tests.gateway.toolsets.upstream_doubles import PATIENCE_S

USER = {"role": "user", "content": ASK}


def offered(name: str, **parameters: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


def offered_desk() -> list[dict[str, Any]]:
    return [
        {"type": "function", "function": {
            "name": tool.name, "description": tool.description, "parameters": tool.input_schema}}
        for tool in support_toolset().tools
    ]  # fmt: skip


async def chat(gateway: Served, *messages: Any, **body: Any) -> httpx.Response:
    return await gateway.post("/v1/chat/completions", {"messages": messages or [USER], **body})


def message_of(response: httpx.Response) -> dict[str, Any]:
    (choice,) = response.json()["choices"]
    return {**choice["message"], "finish_reason": choice["finish_reason"]}


def error_of(response: httpx.Response) -> dict[str, Any]:
    """The error of a response in OpenAI's form, and the document round it checked for shape."""
    problem = problem_of(response)
    value = problem["error"]
    assert set(value) == {"message", "type", "param", "code"}
    assert value["code"] == problem["code"]
    return value


@asynccontextmanager
async def listed(app: FastAPI) -> AsyncGenerator[Parts]:
    """A running gateway whose server `script` has listed its tools."""
    async with app.router.lifespan_context(app):
        parts: Parts = app.state.parts
        await parts.watch.upstream("script").first_listing(PATIENCE_S)
        yield parts


async def _unread(_: Any) -> None:
    """Nobody reads."""


async def leave(
    app: FastAPI,
    path: str,
    body: Any,
    when: Callable[[], Awaitable[object]],
    send: Callable[[Any], Awaitable[None]] = _unread,
) -> None:
    """Ask, and go when `when` has waited; `send` is given what the gateway sends until it ends."""
    scope = {
        "type": "http", "method": "POST", "path": path, "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
    }  # fmt: skip
    messages = [{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}]

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        await when()
        return {"type": "http.disconnect"}

    async with asyncio.timeout(PATIENCE_S):
        await app(scope, receive, send)
