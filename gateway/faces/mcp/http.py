"""The MCP face over Streamable HTTP: keys, addresses, sessions.

Plain ASGI before the SDK's session manager, which owns the transport of both eras. A list of
tools in the 2026-07-28 revision is answered here, from bytes rendered with the catalog, after the
same checks; whatever is out of the ordinary is left to the SDK.
"""

import hashlib
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.inbound import (
    InboundModernRoute,
    classify_inbound_request,
    find_duplicated_routing_header,
)
from mcp.types.methods import validate_client_request
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.errors import PointsmanError
from gateway.faces.body import replayed
from gateway.faces.mcp.envelope import Envelopes
from gateway.faces.mcp.offer import Address, Offer
from gateway.faces.mcp.server import ADDRESS, McpServer
from gateway.faces.parts import Parts
from gateway.faces.problem import problem_response

_PATH = "/mcp"
_SESSIONS = 2_000
_IDLE_S = 300.0
_ACCEPT = ("application/json", "text/event-stream")


class McpFace:
    """The ASGI application at `/mcp` and `/mcp/{toolset}`."""

    def __init__(self, parts: Parts, idle_s: float = _IDLE_S) -> None:
        """`idle_s`: for how many seconds a session stays that has neither a request in flight nor
        an open stream. Many a client hangs up without a word and leaves its session behind."""
        self._parts = parts
        self._server = McpServer(parts)
        self._sessions = StreamableHTTPSessionManager(
            self._server,
            max_request_body_size=parts.config.limits.body_bytes,
            max_sessions=_SESSIONS,
            session_idle_timeout=idle_s,
        )
        self._envelopes = Envelopes(self._sessions.handle_request)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Serve within."""
        async with self._sessions.run():
            try:
                yield
            finally:
                self._server.news.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request.

        Raises:
            Unauthenticated, NotFound, BadRequest: before anything else is looked at.
        """
        # RFC 9110, 5.5: blanks around a value are no part of it; the server's parser leaves them.
        scope["headers"] = [(name, value.strip(b" \t")) for name, value in scope["headers"]]
        request = Request(scope, receive)
        self._identify(scope, request.headers.get("authorization"))
        toolset = scope["path"][len(_PATH) + 1 :] or None
        address = Address.of(toolset, request.query_params.get("tools", "all"))
        offer = self._server.offers.get(address)
        scope[ADDRESS] = address
        if request.headers.get("mcp-method") == "tools/list" and scope["method"] == "POST":
            body = await request.body()
            answer = _listed(request, body, offer)
            if answer is not None:
                await _send(send, answer)
                return
            receive = replayed(body, receive)
        await self._envelopes(scope, receive, send)

    def _identify(self, scope: Scope, authorization: str | None) -> None:
        """Check the key. A session belongs to the key that began it; the SDK sees to that."""
        keys = self._parts.keys
        keys.require("agent", authorization)
        if keys:
            digest = hashlib.sha256((authorization or "").partition(" ")[2].encode()).hexdigest()
            token = AccessToken(token="", client_id=digest, scopes=[])
            scope["user"] = AuthenticatedUser(token)


def _listed(request: Request, body: bytes, offer: Offer) -> bytes | None:
    """The answer to a plain `tools/list` of the 2026-07-28 revision; None for all else."""
    accepted = request.headers.get("accept", "")
    if not all(kind in accepted for kind in _ACCEPT):
        return None
    if find_duplicated_routing_header(request.headers.items()) is not None:
        return None
    try:
        message: Any = json.loads(body)
        if message["jsonrpc"] != "2.0" or message["method"] != "tools/list":
            return None
        route = classify_inbound_request(message, headers=dict(request.headers))
        if not isinstance(route, InboundModernRoute) or message["params"].get("cursor"):
            return None
        validate_client_request("tools/list", route.protocol_version, message["params"])
        request_id = message["id"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if isinstance(request_id, bool) or not isinstance(request_id, int | str):
        return None
    head = f'{{"jsonrpc":"2.0","id":{json.dumps(request_id)},"result":'.encode()
    return head + offer.listed_bytes + b"}"


async def _send(send: Send, body: bytes) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def mount(app: FastAPI, parts: Parts) -> McpFace:
    """Put the face at its addresses; its `running` must be entered for it to answer."""
    face = McpFace(parts)
    app.add_middleware(_Before, face=face)
    return face


class _Before:
    """Takes the face's requests before the router: matching its routes costs more than a check
    of the path, and a tool call is what has to be fast."""

    def __init__(self, app: ASGIApp, face: McpFace) -> None:
        self._app = app
        self._face = face

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or not (path == _PATH or path.startswith(_PATH + "/")):
            await self._app(scope, receive, send)
            return
        try:
            await self._face(scope, receive, send)
        except PointsmanError as exc:
            await problem_response(exc)(scope, receive, send)
