"""What is turned away before any face sees it: foreign hosts and origins, large bodies, a crowd.

Plain ASGI, so that streams stay streams. Host and Origin are checked against DNS rebinding, as
the MCP specification asks of Streamable HTTP servers.
"""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from mcp.shared.inbound import MCP_METHOD_HEADER, MCP_PROTOCOL_VERSION_HEADER
from mcp.types.version import MODERN_PROTOCOL_VERSIONS
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.faces.body import replayed
from gateway.faces.problem import problem

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_HEALTH = ("/healthz", "/readyz")


class _Room:
    """So many at once, and no more."""

    def __init__(self, limit: int, what: str) -> None:
        self.limit, self.what, self.taken = limit, what, 0


class Guard:
    """Wraps an ASGI application."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        body_bytes: int,
        concurrent_requests: int,
        open_streams: int,
        hosts: Sequence[str],
        origins: Sequence[str],
    ) -> None:
        """`hosts` are host names without port; `*` lets every host in."""
        self._requests = _Room(concurrent_requests, "requests are in work")
        self._streams = _Room(open_streams, "streams are open")
        # Whoever asks would take a gateway that is full for one that is dead.
        self._checks = _Room(concurrent_requests, "checks of health are in work")
        self._app = app
        self._body_bytes = body_bytes
        self._hosts = frozenset(host.lower() for host in hosts)
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with a problem document."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(headers)
        if refusal is not None:
            await _answer(send, *refusal)
            return
        # The body is read here, bounded, and given to the application in one piece.
        body = await self._read(receive)
        if body is None:
            await _answer(send, 413, "too_large", f"a body holds at most {self._body_bytes} bytes")
            return
        room = self._room(scope, headers)
        if room.taken >= room.limit:
            detail = f"{room.taken} {room.what} already"
            await _answer(send, 429, "too_many", detail, ((b"retry-after", b"1"),))
            return
        room.taken += 1
        try:
            await self._app(scope, replayed(body, receive), send)
        finally:
            room.taken -= 1

    def _room(self, scope: Scope, headers: Headers) -> _Room:
        if scope["path"] in _HEALTH:
            return self._checks
        return self._streams if _waits(scope, headers) else self._requests

    def _refusal(self, headers: Headers) -> tuple[int, str, str] | None:
        host = _hostname(headers.get("host", ""))
        if "*" not in self._hosts and host not in self._hosts:
            return 403, "forbidden", f"host {host!r} is not served here"
        origin = headers.get("origin")
        if origin is not None and not self._is_allowed(origin):
            return 403, "forbidden", f"origin {origin!r} is not allowed"
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > self._body_bytes:
            return 413, "too_large", f"a body holds at most {self._body_bytes} bytes"
        return None

    def _is_allowed(self, origin: str) -> bool:
        try:
            return origin in self._origins or _hostname(urlsplit(origin).netloc) in self._hosts
        except ValueError:
            return False  # no URL

    async def _read(self, receive: Receive) -> bytes | None:
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return b"".join(parts)
            part: bytes = message.get("body", b"")
            size += len(part)
            if size > self._body_bytes:
                return None
            parts.append(part)
            if not message.get("more_body", False):
                return b"".join(parts)


def _waits(scope: Scope, headers: Headers) -> bool:
    """Whether a request is a stream that waits for news: it does no work and stays for hours.

    Since the revision of 2026-07-28 that is a POST. What its headers say is believed only where
    the MCP face holds the body against them.
    """
    if scope["method"] == "GET":
        return "text/event-stream" in headers.get("accept", "")
    return (
        scope["path"].startswith("/mcp")
        and headers.get(MCP_PROTOCOL_VERSION_HEADER) in MODERN_PROTOCOL_VERSIONS
        and headers.get(MCP_METHOD_HEADER) == "subscriptions/listen"
    )


def _hostname(netloc: str) -> str:
    host = netloc.rpartition("@")[2].lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


async def _answer(
    send: Send,
    status: int,
    code: str,
    detail: str,
    extra: Sequence[tuple[bytes, bytes]] = (),
) -> None:
    body = json.dumps(problem(status, code, detail)).encode()
    headers: list[Any] = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        *extra,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
