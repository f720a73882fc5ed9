"""Posts past the SDK's client, for bodies that it would never send; and a server that answers what
no SDK would."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.config import Config
from tests.gateway.faces.mcp.serving import Able, Face, behind, gateway, modern, modern_headers
from tests.gateway.toolsets.upstream_doubles import at, http, tool

JSON = {"content-type": "application/json"}
ACCEPT = {"accept": "application/json, text/event-stream"}
HELLO = {
    "jsonrpc": "2.0", "id": 1, "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18", "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}  # fmt: skip


class Agent:
    """One agent of one era; the handshake is done."""

    def __init__(self, client: httpx.AsyncClient, era: str, session: Mapping[str, str]) -> None:
        self.client, self.era, self.session = client, era, session

    @classmethod
    async def of(cls, client: httpx.AsyncClient, era: str) -> "Agent":
        if era == "modern":
            return cls(client, era, {})
        begun = await client.post("/mcp", json=HELLO, headers=ACCEPT)
        session = {
            "mcp-session-id": begun.headers["mcp-session-id"],
            "mcp-protocol-version": "2025-06-18",
        }
        ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        answer = await client.post("/mcp", json=ready, headers=ACCEPT | session)
        assert answer.status_code == 202
        return cls(client, era, session)

    def message(self, name: str, arguments: Any, request_id: Any = 7) -> dict[str, Any]:
        params = {"name": name, "arguments": arguments}
        if self.era == "modern":
            return modern("tools/call", params, request_id)
        return {"jsonrpc": "2.0", "id": request_id, "method": "tools/call", "params": params}

    async def post(self, body: Any, name: str = "echo", **headers: str) -> httpx.Response:
        """A body as JSON or as bytes, under the headers that a call of `name` has."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        own = modern_headers("tools/call", name) if self.era == "modern" else ACCEPT | self.session
        sent = own | JSON | {key.replace("_", "-"): value for key, value in headers.items()}
        return await self.client.post("/mcp", content=content, headers=sent)

    async def call(self, name: str, arguments: Any, request_id: Any = 7) -> httpx.Response:
        return await self.post(self.message(name, arguments, request_id), name)


def answer_of(response: httpx.Response) -> dict[str, Any]:
    """The JSON-RPC answer in a response: its whole body, or the last event of a stream."""
    assert "Traceback" not in response.text
    if response.headers["content-type"].startswith("application/json"):
        return response.json()
    return json.loads(response.text.rpartition("data: ")[2])


@asynccontextmanager
async def agents(
    server: Able, tmp_path: Path, era: str, **more: Any
) -> AsyncIterator[tuple[Face, Agent]]:
    """A gateway before a server, and an agent of an era."""
    async with (
        behind(server, tmp_path=tmp_path, **more) as face,
        httpx.AsyncClient(base_url=face.url(""), timeout=30) as client,
    ):
        yield face, await Agent.of(client, era)


class Odd:
    """A server of the 2026-07-28 revision or of the handshake era whose tools answer with raw JSON,
    each with its own. `sse` answers calls with a stream; `outputs` are output schemas."""

    def __init__(
        self,
        results: Mapping[str, str],
        era: str,
        *,
        sse: bool = False,
        outputs: Mapping[str, Any] | None = None,
    ) -> None:
        self.called: list[str] = []
        self._results, self._era, self._sse = results, era, sse
        given = {name: {"outputSchema": schema} for name, schema in (outputs or {}).items()}
        self._tools = [tool(name, **given.get(name, {})) for name in results]
        self.app = Starlette(
            routes=[Route("/mcp", self._answer, methods=["GET", "POST", "DELETE"])]
        )

    async def _answer(self, request: Request) -> Response:
        if request.method != "POST":
            return Response(status_code=405)
        message = await request.json()
        if "id" not in message:
            return Response(status_code=202)
        result = self._result(message)
        if result is None:
            error = {"code": -32601, "message": "Method not found"}
            body = {"jsonrpc": "2.0", "id": message["id"], "error": error}
            return JSONResponse(body, 404)
        text = f'{{"jsonrpc": "2.0", "id": {json.dumps(message["id"])}, "result": {result}}}'
        if self._sse and message["method"] == "tools/call":
            return Response(f"event: message\ndata: {text}\n\n", media_type="text/event-stream")
        return Response(text, media_type="application/json")

    def _result(self, message: dict[str, Any]) -> str | None:
        method, about = message["method"], {"name": "odd", "version": "1"}
        if method == "tools/call":
            self.called.append(message["params"]["name"])
            return self._results[message["params"]["name"]]
        beside = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
        capabilities = {"capabilities": {"tools": {}}, "serverInfo": about}
        if method == "server/discover" and self._era == "modern":
            return json.dumps({"supportedVersions": ["2026-07-28"], **capabilities, **beside})
        if method == "initialize":
            return json.dumps({"protocolVersion": "2025-06-18", **capabilities})
        if method == "tools/list":
            return json.dumps({"tools": self._tools, **beside})
        return None


@asynccontextmanager
async def before(odd: Odd, tmp_path: Path) -> AsyncIterator[Face]:
    """A gateway before such a server."""
    async with http(odd.app) as port:
        config = Config(servers=(at(port, "odd", timeout_s=5),), adapter_store=tmp_path / "store")
        async with gateway(config) as face:
            yield face
