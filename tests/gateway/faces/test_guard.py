"""Who is turned away: foreign hosts and origins, large bodies, missing keys, a crowd."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from gateway.faces.guard import LOOPBACK, Guard
from tests.gateway.faces.mcp.serving import modern_headers
from tests.gateway.serving import (
    ASK,
    TRACK,
    desk,
    dispatched,
    problem_of,
    served,
    settings,
)


class Echo:
    """An application that answers with the body it got, once it is let to."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.arrived = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        self.bodies.append(message["body"])
        self.arrived.set()
        await self.gate.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": message["body"]})


def guarded(app: Any, **settings: Any) -> httpx.AsyncClient:
    values: dict[str, Any] = {
        "body_bytes": 100, "concurrent_requests": 10, "open_streams": 10,
        "hosts": LOOPBACK, "origins": (),
    }  # fmt: skip
    transport = httpx.ASGITransport(Guard(app, **{**values, **settings}))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


@pytest.mark.parametrize(
    ("host", "hosts", "passes"),
    [
        ("localhost", LOOPBACK, True),
        ("localhost:8080", LOOPBACK, True),
        ("LOCALHOST:8080", LOOPBACK, True),
        ("127.0.0.1:1", LOOPBACK, True),
        ("[::1]:8080", LOOPBACK, True),
        ("[::1]", LOOPBACK, True),
        ("evil.example", LOOPBACK, False),
        ("localhost.evil.example", LOOPBACK, False),
        ("localhost@evil.example", LOOPBACK, False),
        ("127.0.0.1.evil.example:80", LOOPBACK, False),
        ("[::2]", LOOPBACK, False),
        ("testserver", LOOPBACK, False),
        ("", LOOPBACK, False),
        ("gateway.example:443", (*LOOPBACK, "Gateway.example"), True),
        ("evil.example", ("*",), True),
    ],
)
async def test_a_foreign_host_is_turned_away(
    host: str, hosts: tuple[str, ...], passes: bool
) -> None:
    app = Echo()
    async with guarded(app, hosts=hosts) as client:
        response = await client.post("/", content=b"x", headers={"host": host})
    if passes:
        assert (response.status_code, app.bodies) == (200, [b"x"])
    else:
        assert problem_of(response)["code"] == "forbidden"
        assert (response.status_code, app.bodies) == (403, [])


@pytest.mark.parametrize(
    ("origin", "passes"),
    [
        ("http://localhost:3000", True),
        ("http://127.0.0.1", True),
        ("http://[::1]:8080", True),
        ("https://app.example", True),
        ("http://app.example", False),
        ("https://app.example:444", False),
        ("https://evil.example", False),
        ("http://localhost.evil.example", False),
        ("http://localhost@evil.example", False),
        ("http://[::1", False),
        ("null", False),
        ("", False),
    ],
)
async def test_a_foreign_origin_is_turned_away(origin: str, passes: bool) -> None:
    app = Echo()
    async with guarded(app, origins=("https://app.example",)) as client:
        response = await client.post("/", content=b"x", headers={"origin": origin})
    assert (response.status_code, bool(app.bodies)) == ((200, True) if passes else (403, False))
    if not passes:
        assert problem_of(response)["code"] == "forbidden"


async def in_chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(size):
        yield b"x"


@pytest.mark.parametrize(("size", "status"), [(0, 200), (100, 200), (101, 413), (100_000, 413)])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_large_body_is_turned_away_however_it_is_sent(
    size: int, status: int, chunked: bool
) -> None:
    app = Echo()
    async with guarded(app) as client:
        content = in_chunks(size) if chunked else b"x" * size
        response = await client.post("/", content=content)
    assert response.status_code == status
    if status == 200:
        assert app.bodies == [b"x" * size]
    else:
        assert problem_of(response)["code"] == "too_large"
        assert app.bodies == []


async def test_a_body_that_lies_about_its_length_is_counted() -> None:
    app = Echo()
    async with guarded(app) as client:
        headers = {"content-length": "5"}
        response = await client.post("/", content=in_chunks(101), headers=headers)
    assert (response.status_code, app.bodies) == (413, [])


async def test_a_crowd_is_turned_away_until_there_is_room() -> None:
    app = Echo()
    app.gate.clear()
    async with guarded(app, concurrent_requests=1) as client:
        first = asyncio.create_task(client.post("/", content=b"1"))
        await app.arrived.wait()
        second = await client.post("/", content=b"2")
        assert problem_of(second)["status"] == 429
        assert second.headers["Retry-After"]
        app.gate.set()
        assert (await first).content == b"1"
        assert (await client.post("/", content=b"3")).content == b"3"
    assert app.bodies == [b"1", b"3"]


LISTENS = modern_headers("subscriptions/listen")


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/mcp", {"accept": "text/event-stream"}),
        ("POST", "/mcp", LISTENS),
        ("POST", "/mcp/support", LISTENS),
    ],
)
async def test_streams_that_wait_for_news_take_no_room_from_requests_and_have_a_limit(
    method: str, path: str, headers: dict[str, str]
) -> None:
    app = Echo()
    app.gate.clear()
    async with guarded(app, concurrent_requests=1, open_streams=1) as client:
        stream = asyncio.create_task(client.request(method, path, headers=headers))
        await app.arrived.wait()
        second = await client.request(method, path, headers=headers)
        assert problem_of(second)["detail"] == "1 streams are open already"
        assert (second.status_code, second.headers["Retry-After"]) == (429, "1")
        app.arrived.clear()
        request = asyncio.create_task(client.post("/", content=b"1"))
        await app.arrived.wait()
        app.gate.set()
        assert (await request).content == b"1"
        assert (await stream).status_code == 200


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/v1/route", [*LISTENS.items()]),
        ("/mcp", [*modern_headers("tools/call").items()]),
        # Nobody holds the body against these:
        ("/mcp", [("mcp-method", "subscriptions/listen")]),
        ("/mcp", [*(LISTENS | {"mcp-protocol-version": "2025-11-25"}).items()]),
        ("/mcp", [("mcp-protocol-version", "2025-11-25"), *LISTENS.items()]),
    ],
)
async def test_a_request_that_may_be_no_listener_takes_the_room_of_a_request(
    path: str, headers: list[tuple[str, str]]
) -> None:
    app = Echo()
    app.gate.clear()
    async with guarded(app, concurrent_requests=1) as client:
        first = asyncio.create_task(client.post("/", content=b"1"))
        await app.arrived.wait()
        second = await client.post(path, content=b"2", headers=headers)
        assert problem_of(second)["detail"] == "1 requests are in work already"
        app.gate.set()
        assert (await first).content == b"1"


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_a_gateway_without_room_still_says_how_it_is(path: str) -> None:
    app = Echo()
    app.gate.clear()
    async with guarded(app, concurrent_requests=1) as client:
        first = asyncio.create_task(client.post("/", content=b"1"))
        await app.arrived.wait()
        app.arrived.clear()
        check = asyncio.create_task(client.get(path))
        await app.arrived.wait()
        assert (await client.post("/", content=b"2")).status_code == 429
        app.gate.set()
        assert [(await task).status_code for task in (first, check)] == [200, 200]


KEYS = {"agent_keys": ("agent-key", "other-key"), "admin_keys": ("admin-key",)}
AGENT_PATHS = ["/v1/tools", "/v1/models", "/metrics"]
ADMIN_PATHS = ["/admin/servers", "/admin/adapters", "/admin/drift", "/admin/calls"]


@pytest.mark.parametrize(
    ("header", "agent", "admin"),
    [
        (None, 401, 401),
        ("", 401, 401),
        ("Bearer", 401, 401),
        ("Bearer ", 401, 401),
        ("Bearer wrong", 401, 401),
        ("Bearer agent-ke", 401, 401),
        ("Bearer agent-key2", 401, 401),
        ("Basic agent-key", 401, 401),
        ("agent-key", 401, 401),
        ("Bearer agent-key", 200, 403),
        ("bearer other-key", 200, 403),
        ("Bearer admin-key", 200, 200),
    ],
)
async def test_every_path_asks_for_its_scope(
    tmp_path: Path, header: str | None, agent: int, admin: int
) -> None:
    headers = {} if header is None else {"authorization": header}
    config = settings(tmp_path, adapter=False, auth=KEYS)
    async with served(config, headers=headers) as gateway:
        for status, paths in ((agent, AGENT_PATHS), (admin, ADMIN_PATHS)):
            for path in paths:
                response = await gateway.client.get(path)
                assert response.status_code == status, path
                if status != 200:
                    wanted = {401: "unauthenticated", 403: "forbidden"}[status]
                    assert problem_of(response)["code"] == wanted
                assert ("WWW-Authenticate" in response.headers) == (status == 401)


POSTS: list[tuple[str, dict[str, Any], int]] = [
    ("/v1/route", {"request": ASK, "dispatch": True}, 401),
    ("/v1/tools/call", TRACK, 401),
    ("/v1/chat/completions", {"messages": [{"role": "user", "content": ASK}]}, 401),
    ("/admin/servers", {"name": "x", "url": "http://localhost:1/mcp"}, 401),
    ("/admin/servers/script/refresh", {}, 401),
    ("/admin/adapters", {"folder": "/nowhere"}, 401),
    ("/admin/adapters/support/activate", {}, 401),
    ("/admin/adapters/support/rollback", {}, 401),
    ("/admin/calls/route_1/label", {"target": "right"}, 401),
]


@pytest.mark.parametrize(("path", "body", "status"), POSTS)
async def test_nothing_happens_without_credentials(
    tmp_path: Path, path: str, body: dict[str, Any], status: int
) -> None:
    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, script.config(), auth=KEYS)) as gateway:
        before = len(script.seen())
        response = await gateway.client.post(path, json=body)
        assert problem_of(response)["status"] == status
        assert "agent-key" not in response.text
        assert (dispatched(script), len(script.seen())) == (0, before)
        assert await gateway.parts.records.calls() == []


@pytest.mark.parametrize("path", ["/admin/servers/script", "/admin/adapters/support"])
async def test_an_agent_may_delete_nothing(tmp_path: Path, path: str) -> None:
    headers = {"authorization": "Bearer agent-key"}
    script = desk(tmp_path / "desk")
    config = settings(tmp_path, script.config(), auth=KEYS)
    async with served(config, headers=headers) as gateway:
        assert problem_of(await gateway.client.delete(path))["status"] == 403
        assert [u.name for u in gateway.parts.watch.upstreams] == ["script"]


async def test_a_foreign_host_is_turned_away_from_the_whole_gateway(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    config = settings(tmp_path, script.config(), allowed_hosts=("gw.example",))
    async with served(config, base_url="http://evil.example") as gateway:
        response = await gateway.call(**TRACK)
        assert problem_of(response)["status"] == 403
        assert dispatched(script) == 0
        host = {"host": "gw.example"}
        assert (await gateway.client.get("/v1/tools", headers=host)).status_code == 200


async def test_a_body_over_the_configured_limit_is_not_read(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    config = settings(tmp_path, script.config(), limits={"body_bytes": 1000})
    async with served(config) as gateway:
        response = await gateway.route("x" * 100_000, dispatch=True)
        assert problem_of(response)["code"] == "too_large"
        assert response.status_code == 413
        assert json.loads(response.content)["detail"].endswith("1000 bytes")
        assert dispatched(script) == 0
