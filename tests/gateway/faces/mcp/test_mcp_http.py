"""The MCP face over HTTP: keys, sessions, and bodies that mean harm. Nothing is dispatched."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.config import AuthConfig, Config
from gateway.faces.mcp import McpFace
from tests.gateway.faces.mcp.raw import Agent
from tests.gateway.faces.mcp.serving import Able, Face, behind, gateway, modern, modern_headers
from tests.gateway.toolsets.upstream_doubles import PATIENCE_S, at, http

CALL = modern("tools/call", {"name": "echo", "arguments": {"text": "a"}})
HEADERS = modern_headers("tools/call", "echo")
HELLO = {
    "jsonrpc": "2.0", "id": 1, "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18", "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}  # fmt: skip
OLD = {"accept": "application/json, text/event-stream"}


@asynccontextmanager
async def asked(
    server: Able, tmp_path: Path, **more: Any
) -> AsyncIterator[tuple[Face, httpx.AsyncClient]]:
    async with (
        behind(server, tmp_path=tmp_path, **more) as face,
        httpx.AsyncClient(base_url=face.url(""), timeout=30) as client,
    ):
        yield face, client


async def test_a_plain_post_of_the_modern_era_is_answered(tmp_path: Path) -> None:
    async with asked(Able(), tmp_path) as (_, client):
        response = await client.post("/mcp", json=CALL, headers=HEADERS)
        assert response.status_code == 200
        result = response.json()["result"]
        assert result["content"][0]["text"] == "a"
        assert result["resultType"] == "complete"


async def test_blanks_around_a_header_are_no_part_of_it(tmp_path: Path) -> None:
    async with behind(Able(), tmp_path=tmp_path) as face:
        body = json.dumps(CALL).encode()
        sent = {"host": "127.0.0.1", "content-type": "application/json", "connection": "close"}
        sent |= {"content-length": str(len(body)), **HEADERS, "mcp-name": " \t echo \t "}
        head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        # No client of ours would send such a header.
        reader, writer = await asyncio.open_connection("127.0.0.1", face.port)
        writer.write(f"POST /mcp HTTP/1.1\r\n{head}\r\n".encode() + body)
        answer = await reader.read()
        writer.close()
        assert answer.startswith(b"HTTP/1.1 200 "), answer


async def test_the_rendered_list_is_what_the_sdk_would_send(tmp_path: Path) -> None:
    async with asked(Able(), tmp_path) as (_, client):
        body, headers = modern("tools/list", {}, "é-1"), modern_headers("tools/list")
        fast = (await client.post("/mcp", json=body, headers=headers)).json()
        # A cursor of null is out of the ordinary enough to be left to the SDK.
        slow_body = modern("tools/list", {"cursor": ""}, "é-1")
        slow = (await client.post("/mcp", json=slow_body, headers=headers)).json()
        assert fast == slow
        assert fast["id"] == "é-1"
        assert fast["result"]["tools"][0]["name"] == "echo"


@pytest.mark.parametrize(
    ("change", "headers", "status"),
    [
        ({"method": "tools/list"}, {}, 400),  # header and body disagree on the method
        ({}, {"mcp-method": "subscriptions/listen"}, 400),
        ({}, {"mcp-name": "steps"}, 400),  # and on the tool
        ({}, {"mcp-protocol-version": "2099-01-01"}, 400),
        ({}, {"mcp-protocol-version": "nonsense"}, 400),
        ({"jsonrpc": "1.0"}, {}, 400),
        ({"id": None}, {}, 400),
        ({"id": {"a": 1}}, {}, 400),
        ({"params": None}, {}, 400),
        ({"params": [1]}, {}, 400),
        ({}, {"accept": "text/html"}, 406),
    ],
)
async def test_bodies_that_are_not_what_they_say_are_refused(
    tmp_path: Path, change: dict[str, Any], headers: dict[str, str], status: int
) -> None:
    server = Able()
    async with asked(server, tmp_path) as (_, client):
        response = await client.post("/mcp", json=CALL | change, headers=HEADERS | headers)
        assert response.status_code == status
        assert "Traceback" not in response.text
        assert server.called == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b'{"jsonrpc":"2.0","id":' + b"9" * 5_000 + b',"method":"tools/call"}',
        b"\xff\xfe\x00",
        json.dumps([CALL, CALL]).encode(),
        json.dumps(CALL).encode().replace(b'"a"', b"[" * 50_000 + b"]" * 50_000),
    ],
    ids=["empty", "half", "deep", "number", "bytes", "batch", "deep arguments"],
)
async def test_bodies_that_cannot_be_read_are_refused(tmp_path: Path, body: bytes) -> None:
    server = Able()
    async with asked(server, tmp_path) as (_, client):
        for headers in (HEADERS, OLD):
            sent = {**headers, "content-type": "application/json"}
            response = await client.post("/mcp", content=body, headers=sent)
            assert 400 <= response.status_code < 500
            assert "Traceback" not in response.text
        again = await client.post("/mcp", json=CALL, headers=HEADERS)
        assert again.status_code == 200
        assert server.called == ["echo"]


async def test_a_body_over_the_limit_is_too_large(tmp_path: Path) -> None:
    server = Able()
    async with asked(server, tmp_path) as (_, client):
        huge = modern("tools/call", {"name": "echo", "arguments": {"text": "x" * 2_000_000}})
        response = await client.post("/mcp", json=huge, headers=HEADERS)
        assert (response.status_code, server.called) == (413, [])


async def test_the_same_id_twice_at_once_is_two_requests_of_the_modern_era(tmp_path: Path) -> None:
    server = Able()
    async with asked(server, tmp_path) as (_, client):
        posts = (client.post("/mcp", json=CALL, headers=HEADERS) for _ in range(5))
        answers = [response.json() for response in await asyncio.gather(*posts)]
        assert [answer["id"] for answer in answers] == [1] * 5
        assert server.called == ["echo"] * 5


async def test_requests_before_the_handshake_are_refused(tmp_path: Path) -> None:
    server = Able()
    async with asked(server, tmp_path) as (_, client):
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        response = await client.post("/mcp", json=body, headers=OLD)
        assert response.status_code == 400
        made_up = {**OLD, "mcp-session-id": "made-up"}
        response = await client.post("/mcp", json=body, headers=made_up)
        assert response.status_code == 404


async def test_without_a_key_nothing_is_told(tmp_path: Path) -> None:
    auth = AuthConfig(agent_keys=("one", "two"))
    async with asked(Able(), tmp_path, auth=auth) as (_, client):
        for headers in (HEADERS, HEADERS | {"authorization": "Bearer wrong"}):
            response = await client.post("/mcp", json=CALL, headers=headers)
            assert response.status_code == 401
            assert response.headers["www-authenticate"] == "Bearer"
        sent = HEADERS | {"authorization": "Bearer one"}
        assert (await client.post("/mcp", json=CALL, headers=sent)).status_code == 200


async def test_a_session_belongs_to_the_key_that_began_it(tmp_path: Path) -> None:
    auth = AuthConfig(agent_keys=("one", "two"))
    async with asked(Able(), tmp_path, auth=auth) as (_, client):
        mine = OLD | {"authorization": "Bearer one"}
        session = (await client.post("/mcp", json=HELLO, headers=mine)).headers["mcp-session-id"]
        ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
        held = {"mcp-session-id": session, "mcp-protocol-version": "2025-06-18"}
        assert (await client.post("/mcp", json=ping, headers=mine | held)).status_code == 200
        other = OLD | {"authorization": "Bearer two"} | held
        assert (await client.post("/mcp", json=ping, headers=other)).status_code == 404


class Goodbyes:
    """An upstream's application; `said` is set when a session is ended."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.said = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "DELETE":
            self.said.set()
        await self._app(scope, receive, send)


async def test_a_session_that_nobody_uses_ends_with_its_connections_and_a_busy_one_stays(
    tmp_path: Path,
) -> None:
    server = Able()
    goodbyes = Goodbyes(server.streamable_http_app())
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(http(goodbyes))
        config = Config(servers=(at(port, mode="legacy"),), adapter_store=tmp_path / "store")
        parts = (await stack.enter_async_context(gateway(config))).parts
        face = McpFace(parts, idle_s=1)
        await stack.enter_async_context(face.running())
        transport = httpx.ASGITransport(face)
        client = await stack.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")
        )
        busy, left = await Agent.of(client, "legacy"), await Agent.of(client, "legacy")
        call = asyncio.create_task(busy.call("wait", {}))
        await server.begun.wait()
        assert (await left.call("echo", {"text": "a"})).status_code == 200
        async with asyncio.timeout(PATIENCE_S):
            await goodbyes.said.wait()
        assert (await left.call("echo", {"text": "b"})).status_code == 404
        assert (await busy.call("echo", {"text": "c"}, 8)).status_code == 200
        assert server.called == ["wait", "echo", "echo"]
        call.cancel()


async def test_foreign_hosts_and_origins_are_turned_away(tmp_path: Path) -> None:
    server = Able()
    async with asked(server, tmp_path) as (_, client):
        for foreign in ({"host": "evil.example"}, {"origin": "https://evil.example"}):
            response = await client.post("/mcp", json=CALL, headers=HEADERS | foreign)
            assert response.status_code == 403
        assert server.called == []
