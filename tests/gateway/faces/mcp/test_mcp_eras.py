"""An agent of one protocol era and a server of the other."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from mcp.types import ElicitResult

from tests.gateway.faces.mcp.serving import Able, behind, gateway, text
from tests.gateway.serving import settings
from tests.gateway.toolsets.upstream_doubles import Script, at, http


class ModernOnly:
    """An ASGI app before another one that knows no handshake."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = dict(scope.get("headers", ()))
        if scope["type"] == "http" and headers.get(b"mcp-protocol-version") != b"2026-07-28":
            start = {"type": "http.response.start", "status": 400, "headers": []}
            await send(start)
            await send({"type": "http.response.body", "body": b"no handshake here"})
            return
        await self._inner(scope, receive, send)


async def test_a_modern_agent_uses_a_server_of_the_handshake_era(tmp_path: Path) -> None:
    heard: list[Any] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        heard.append(progress)

    async def on_log(params: Any) -> None:
        heard.append(params.data)

    server = Able()
    async with (
        behind(server, tmp_path=tmp_path, era="legacy") as face,
        face.client("auto", logging_callback=on_log, log_level="warning") as client,
    ):
        assert text(await client.call_tool("echo", {"text": "a"})) == "a"
        await client.call_tool("steps", {}, progress_callback=on_progress)
        await client.call_tool("log", {})
        assert heard == [1, 2, 3, "warning words"]
        assert [p.name for p in (await client.list_prompts()).prompts] == ["able", "shared"]
        assert (await client.read_resource("able://x")).contents[0].text == "read able://x"


async def test_an_agent_of_the_handshake_era_uses_a_modern_server(tmp_path: Path) -> None:
    server = Able()
    async with http(ModernOnly(server.streamable_http_app())) as port:
        config = settings(tmp_path, at(port, "able"), adapter=False)
        async with gateway(config) as face, face.client("legacy") as client:
            assert text(await client.call_tool("echo", {"text": "a"})) == "a"
            assert [p.name for p in (await client.list_prompts()).prompts] == ["able", "shared"]


async def test_each_session_has_its_own_connection_to_a_server(tmp_path: Path) -> None:
    """What one agent's user is asked never reaches another agent."""

    def answering(name: str) -> Any:
        async def answer(context: Any, params: Any) -> ElicitResult:
            return ElicitResult(action="accept", content={"name": name})

        return answer

    async with (
        behind(Able(), tmp_path=tmp_path) as face,
        face.client("legacy", elicitation_callback=answering("Ada")) as one,
        face.client("legacy", elicitation_callback=answering("Bob")) as two,
    ):
        asks = (client.call_tool("ask", {}) for client in (one, two, one, two))
        results = await asyncio.gather(*asks)
        names = ["Ada", "Bob", "Ada", "Bob"]
        assert [text(r) for r in results] == [f"hello {{'name': '{name}'}}" for name in names]


async def test_a_process_is_shared_by_agents_that_nobody_could_ask(
    mode: Any, tmp_path: Path
) -> None:
    script = Script(tmp_path / "script", "echo")
    config = settings(tmp_path, script.config(), adapter=False)
    async with gateway(config) as face, face.client(mode) as one, face.client(mode) as two:
        for client in (one, two):
            assert text(await client.call_tool("echo", {})) == "echo{}"
    assert script.seen().count("initialize") == 1


async def test_a_session_outlives_a_restart_of_a_server(mode: Any, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        async with http(Able().streamable_http_app()) as port:
            config = settings(tmp_path, at(port, "able"), adapter=False)
            face = await stack.enter_async_context(gateway(config))
            client = await stack.enter_async_context(face.client(mode))
            assert text(await client.call_tool("echo", {"text": "a"})) == "a"
        server = Able()
        await stack.enter_async_context(http(server.streamable_http_app(), port))
        await face.parts.watch.refresh("able")
        assert text(await client.call_tool("echo", {"text": "b"})) == "b"
        assert server.called == ["echo"]
