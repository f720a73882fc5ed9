"""Bodies of the handshake era that the SDK's transport would take amiss, refused before it.

It takes a request whose id is malformed for a notification and answers nobody; of two requests that
carry one id at the same time it leaves one waiting; it does not compare body and header; and it
explains a batch in the words of its parser. What cannot be parsed at all is left to it.
"""

from collections.abc import Mapping
from typing import Any, cast

import pydantic_core
from mcp.types import HEADER_MISMATCH, INVALID_REQUEST, PROTOCOL_VERSION_META_KEY
from mcp.types.version import HANDSHAKE_PROTOCOL_VERSIONS, LATEST_HANDSHAKE_VERSION
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.faces.body import replayed

_KINDS = ("method", "result", "error")


class Envelopes:
    """Looks at the body of each POST; one object per session manager."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._in_flight: set[tuple[str, str]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with a JSON-RPC error."""
        headers = Headers(scope=scope)
        version = headers.get("mcp-protocol-version", LATEST_HANDSHAKE_VERSION)
        if scope["method"] != "POST" or version not in HANDSHAKE_PROTOCOL_VERSIONS:
            await self._app(scope, receive, send)
            return
        body = await _read(receive)
        receive = replayed(body, receive)
        try:
            message: Any = pydantic_core.from_json(body)
        except ValueError:
            await self._app(scope, receive, send)
            return
        session = headers.get("mcp-session-id", "")
        refusal = _refusal(message) or self._duplicate(session, message)
        if refusal is not None:
            code, text = refusal
            error = {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": text}}
            await JSONResponse(error, 400)(scope, receive, send)
            return
        if not session or "id" not in message or "method" not in message:
            await self._app(scope, receive, send)
            return
        await self._hold((session, str(message["id"])), scope, receive, send)

    async def _hold(self, key: tuple[str, str], scope: Scope, receive: Receive, send: Send) -> None:
        """The id is free again with the last byte of the answer: what follows it may carry it."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                self._in_flight.discard(key)
            await send(message)

        self._in_flight.add(key)
        try:
            await self._app(scope, receive, sending)
        finally:
            self._in_flight.discard(key)

    def _duplicate(self, session: str, message: Mapping[str, Any]) -> tuple[int, str] | None:
        if "method" in message and (session, str(message.get("id"))) in self._in_flight:
            return INVALID_REQUEST, f"a request with the id {message['id']!r} is in work already"
        return None


async def _read(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _refusal(message: Any) -> tuple[int, str] | None:
    """What is wrong with a message, as the code and the words of an error; None if nothing is."""
    if not isinstance(message, dict):
        return INVALID_REQUEST, "a body is one JSON-RPC message, an object; there are no batches"
    found = cast(dict[str, Any], message)
    if found.get("jsonrpc") != "2.0":
        return INVALID_REQUEST, 'the member jsonrpc must be "2.0"'
    if not any(kind in found for kind in _KINDS):
        return INVALID_REQUEST, "a message has a method, or is an answer with a result or an error"
    return _refusal_of_method(found) if "method" in found else None


def _refusal_of_method(message: Mapping[str, Any]) -> tuple[int, str] | None:
    method, params = message["method"], message.get("params", {})
    if not isinstance(method, str):
        return INVALID_REQUEST, "the method must be a string"
    if not isinstance(params, dict):
        return INVALID_REQUEST, "params must be an object"
    if "id" in message and not _is_id(message["id"], method):
        return INVALID_REQUEST, "the id of a request must be a string or an integer"
    meta: Any = cast(dict[str, Any], params).get("_meta")
    # Who begins a session may say all that it can.
    if isinstance(meta, dict) and PROTOCOL_VERSION_META_KEY in meta and method != "initialize":
        return HEADER_MISMATCH, (
            "the body names a protocol version in its _meta that the header MCP-Protocol-Version "
            "does not name"
        )
    return None


def _is_id(value: Any, method: str) -> bool:
    if value is None:  # some libraries write it into what has none
        return method.startswith("notifications/")
    return isinstance(value, str | int) and not isinstance(value, bool)
