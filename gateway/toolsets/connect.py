"""Transports to MCP servers that outlive the faults of a single request.

The SDK's client ends, with all calls in flight, when one POST fails, and notices the death of a
stdio child only at the next call. Both are mended here, below the SDK: a failed POST becomes a
JSON-RPC error answer to that POST alone, and the end of the read stream is an event to wait for.
A session that the server has forgotten is told by a code of its own, never by the error's text.
"""

import json
import ssl
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from typing import Any, cast

import anyio
import httpx2
from mcp.client._transport import TransportStreams
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage
from mcp.types import jsonrpc_message_adapter
from pydantic import ValidationError

from gateway.config import ServerConfig
from gateway.keepalive import KEEPALIVE_S
from gateway.toolsets.wire import WireTransport

_CONNECT_S, _READ_S, _GOODBYE_S = 10.0, 300.0, 2.0
MAX_EVENT_BYTES = 67_108_864
_LIMITS = httpx2.Limits(
    max_connections=None, max_keepalive_connections=100, keepalive_expiry=KEEPALIVE_S
)
CONNECTION_LOST = -32000
"""The SDK's own code for a connection that closed under a request."""
SESSION_LOST = 40_400
"""Our code, outside the range of JSON-RPC: the server forgot the session and ran nothing."""


@asynccontextmanager
async def connect(config: ServerConfig, closed: anyio.Event) -> AsyncGenerator[TransportStreams]:
    """Open the transport of a server; `closed` is set when the server's side ends.

    Raises:
        OSError: the command cannot be run.
    """
    async with _transport(config) as (read, write):
        yield _Watched(read, closed), write  # pyright: ignore[reportReturnType]


def _transport(config: ServerConfig) -> AbstractAsyncContextManager[TransportStreams]:
    if config.command is not None:
        env = {name: secret.get_secret_value() for name, secret in config.env.items()}
        return stdio_client(
            StdioServerParameters(
                command=config.command,
                args=list(config.args),
                env=env,
                cwd=config.cwd,
                # One stray byte on stdout must cost a line, not the connection.
                encoding_error_handler="replace",
            )
        )
    return _http(config)


@asynccontextmanager
async def _http(config: ServerConfig) -> AsyncGenerator[TransportStreams]:
    headers = {name: secret.get_secret_value() for name, secret in config.headers.items()}
    timeout = read_limits(config)
    transport = _SurvivingTransport(http_transport())
    # Parsed once: the client takes a string apart again at every request.
    url: Any = httpx2.URL(cast(str, config.url))
    async with (
        httpx2.AsyncClient(headers=headers, timeout=timeout, transport=transport) as client,
        streamable_http_client(
            url, http_client=client, max_sse_event_size=MAX_EVENT_BYTES
        ) as streams,
    ):
        yield streams


def http_transport() -> WireTransport:
    """Connections to servers over HTTP."""
    return WireTransport(httpx2.AsyncHTTPTransport(verify=_trusted(), limits=_LIMITS))


@cache
def _trusted() -> ssl.SSLContext:
    """Whom to trust over TLS. Read once: that takes longer than a call, and every session
    opens its own connections."""
    return httpx2.create_ssl_context()


def read_limits(config: ServerConfig) -> httpx2.Timeout:
    """How long to wait for a connection, and for each piece of an answer."""
    return httpx2.Timeout(_CONNECT_S, read=max(_READ_S, config.timeout_s))


class _Watched:
    """A read stream that sets an event when it ends."""

    def __init__(self, inner: Any, closed: anyio.Event) -> None:
        self._inner = inner
        self._closed = closed

    @property
    def last_context(self) -> Any:
        """The context in which the last item was sent (SDK convention)."""
        return getattr(self._inner, "last_context", None)

    async def receive(self) -> Any:
        try:
            return _mended(await self._inner.receive())
        except (anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError):
            self._closed.set()
            raise

    async def aclose(self) -> None:
        await self._inner.aclose()

    def __aiter__(self) -> "_Watched":
        return self

    async def __anext__(self) -> Any:
        try:
            return _mended(await self._inner.__anext__())
        except StopAsyncIteration:
            self._closed.set()
            raise

    async def __aenter__(self) -> "_Watched":
        await self._inner.__aenter__()
        return self

    async def __aexit__(self, *exc: Any) -> bool | None:
        return await self._inner.__aexit__(*exc)


def _mended(item: Any) -> Any:
    """A line with half a surrogate pair, which the SDK drops, so that its request hangs."""
    if not isinstance(item, ValidationError):
        return item
    try:
        message = json.loads(item.errors(include_url=False)[0]["input"])
        text = json.dumps(message, ensure_ascii=False).encode(errors="replace")
        return SessionMessage(jsonrpc_message_adapter.validate_json(text, by_name=False))
    except (ValueError, TypeError, RecursionError):
        return item


class _SurvivingTransport(httpx2.AsyncBaseTransport):
    """Answers a POST whose connection fails with a JSON-RPC error instead of an exception."""

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "DELETE":
            # The end of a session is a courtesy; a silent server must not hold up a close.
            request.extensions["timeout"] = httpx2.Timeout(_GOODBYE_S).as_dict()
        try:
            response = await self._inner.handle_async_request(request)
            if response.status_code == 404 and "mcp-session-id" in request.headers:
                answer = _error_answer(request, SESSION_LOST, "Session not found")
                if answer is not None:
                    await response.aclose()
                    return answer
            if response.headers.get("content-type", "").lower().startswith("application/json"):
                # A body cut short must fail here, not in the SDK's reader. A stream of events
                # stays a stream: its end is an event the SDK handles.
                await response.aread()
        except httpx2.RequestError as exc:
            text = f"{type(exc).__name__}: {exc}".rstrip(": ")
            answer = _error_answer(request, CONNECTION_LOST, text)
            if answer is None:
                raise
            return answer
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


def _error_answer(request: httpx2.Request, code: int, text: str) -> httpx2.Response | None:
    """The answer to a POST that got none; None if the request is no POST of a message."""
    if request.method != "POST":
        return None
    try:
        message: Any = json.loads(request.content)
    except ValueError:
        return None
    if not isinstance(message, dict):
        return None
    if "id" not in message:
        return httpx2.Response(202, request=request)
    error = {"code": code, "message": text}
    body = {"jsonrpc": "2.0", "id": cast(dict[str, Any], message)["id"], "error": error}
    return httpx2.Response(200, json=body, request=request)
