"""Requests of the 2026-07-28 revision over HTTP, without the SDK's client between.

That revision keeps no state: a request is one POST, and its answer is the body. The SDK takes
each through queues and tasks of its own, which costs more than all else a call costs here. What
has to be told apart is little: one JSON answer, or a stream of events that ends with one; to hang
up is to cancel. Above stands `link`, which says what is sent this way; below, `wire`.
"""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import httpx2
from mcp.shared.exceptions import MCPError
from mcp.types import (
    CONNECTION_CLOSED,
    INTERNAL_ERROR,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    JSONRPCError,
    JSONRPCNotification,
    JSONRPCResponse,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError

from gateway.config import ServerConfig
from gateway.toolsets.caller import Caller
from gateway.toolsets.connect import CONNECTION_LOST, MAX_EVENT_BYTES, http_transport, read_limits

_ACCEPT = {
    "accept": "application/json, text/event-stream",
    "content-type": "application/json",
    "user-agent": "pointsman",
}


class Straight:
    """The way to one server; connections are kept until `aclose`."""

    def __init__(self, config: ServerConfig) -> None:
        """The server must be reached over HTTP."""
        assert config.url is not None
        self.usable = True
        self._url = httpx2.URL(config.url)
        secrets = {name: secret.get_secret_value() for name, secret in config.headers.items()}
        self._headers = {**secrets, **_ACCEPT}
        self._limits = {"timeout": read_limits(config).as_dict()}
        self._transport = http_transport()
        self._ids = count(1)

    async def request(
        self,
        method: str,
        params: Mapping[str, Any],
        headers: Mapping[str, str],
        caller: Caller | None,
    ) -> dict[str, Any] | None:
        """The raw result of one request; None if the server sends it elsewhere and ran nothing.

        Raises:
            MCPError: the server refused, or the connection broke.
        """
        number = next(self._ids)
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        request = httpx2.Request(
            "POST",
            self._url,
            headers={**self._headers, **headers},
            content=json.dumps(message, separators=(",", ":")).encode(),
            extensions=self._limits,
        )
        try:
            response = await self._transport.handle_async_request(request)
            try:
                if response.is_redirect:
                    self.usable = False  # the SDK's client knows which ones to follow
                    return None
                response.request = request
                return await _result(response, number, caller)
            finally:
                await response.aclose()
        except httpx2.RequestError as exc:
            text = f"{type(exc).__name__}: {exc}".rstrip(": ")
            raise MCPError(CONNECTION_LOST, text) from exc

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()


@asynccontextmanager
async def straight_way(config: ServerConfig) -> AsyncGenerator[Straight | None]:
    """The way to a server that is reached over HTTP, closed after the block; None to others."""
    if config.url is None:
        yield None
        return
    straight = Straight(config)
    try:
        yield straight
    finally:
        await straight.aclose()


async def _result(response: httpx2.Response, number: int, caller: Caller | None) -> dict[str, Any]:
    kind = response.headers.get("content-type", "").lower()
    if response.status_code >= 400:
        raise await _refusal(response, kind)
    if kind.startswith("application/json"):
        return _answer(await _body(response), number)
    if kind.startswith("text/event-stream"):
        return await _streamed(response, number, caller)
    if response.status_code == 202:
        raise MCPError(INVALID_REQUEST, "server answered a request with 202 Accepted")
    raise MCPError(INVALID_REQUEST, f"Unexpected content type: {kind}")


async def _body(response: httpx2.Response) -> bytes:
    """The body whole; to look for a decoder costs more than to read what needs none."""
    if "content-encoding" in response.headers:
        return await response.aread()
    stream: Any = response.stream
    return b"".join([part async for part in stream])


async def _refusal(response: httpx2.Response, kind: str) -> MCPError:
    """The error in the body of a refused request, which may name no id; else one of the status."""
    if kind.startswith("application/json"):
        try:
            found = jsonrpc_message_adapter.validate_json(await response.aread(), by_name=False)
        except ValidationError:
            found = None
        if isinstance(found, JSONRPCError):
            return MCPError(found.error.code, found.error.message, found.error.data)
    if response.status_code == 404:
        return MCPError(METHOD_NOT_FOUND, "Not Found")
    return MCPError(INTERNAL_ERROR, "Server returned an error response")


def _answer(body: bytes | str, number: int) -> dict[str, Any]:
    try:
        found = jsonrpc_message_adapter.validate_json(body, by_name=False)
    except ValidationError as exc:
        raise MCPError(PARSE_ERROR, f"Failed to parse JSON response: {exc}") from exc
    if isinstance(found, JSONRPCError):
        raise MCPError(found.error.code, found.error.message, found.error.data)
    if not isinstance(found, JSONRPCResponse) or str(found.id) != str(number):
        raise MCPError(INVALID_REQUEST, "the body answers another request")
    return found.result


async def _streamed(
    response: httpx2.Response, number: int, caller: Caller | None
) -> dict[str, Any]:
    """The answer at the end of a stream; log lines before it go to the agent."""
    try:
        async for event in httpx2.EventSource(response, max_event_size=MAX_EVENT_BYTES):
            if event.event != "message" or not event.data:
                continue
            try:
                told = jsonrpc_message_adapter.validate_json(event.data, by_name=False)
            except ValidationError:
                told = None
            if isinstance(told, JSONRPCNotification):
                if told.method == "notifications/message" and caller is not None:
                    await caller.notify(told.method, told.params)
            elif told is None or isinstance(told, JSONRPCResponse | JSONRPCError):
                return _answer(event.data, number)
    except httpx2.SSEError as exc:
        raise MCPError(CONNECTION_CLOSED, f"SSE stream failed: {exc}") from exc
    raise MCPError(CONNECTION_CLOSED, "SSE stream ended without a response")
