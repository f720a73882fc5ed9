"""Upstreams over Streamable HTTP: both eras, restarts, lost sessions, broken requests."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from upstream_doubles import (
    PATIENCE_S,
    Heard,
    LiveServer,
    at,
    http,
    listed,
    running,
    started,
    text_of,
)

from gateway.errors import InvalidArguments, UpstreamDown, UpstreamTimeout
from gateway.toolsets.upstream import Upstream


@pytest.fixture(params=["auto", "legacy"])
def mode(request: pytest.FixtureRequest) -> Any:
    """Both protocol eras."""
    return request.param


@pytest.fixture(params=[False, True], ids=["events", "json"])
def app_of(request: pytest.FixtureRequest) -> Callable[[LiveServer], Any]:
    """Both forms of an answer."""
    return lambda server: server.streamable_http_app(json_response=request.param)


class Cutting:
    """An ASGI app before another one: cuts every answer to a POST whose body holds `mark`."""

    def __init__(self, inner: Any, mark: bytes, after: bytes | None) -> None:
        self._inner, self._mark, self._after = inner, mark, after

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._inner(scope, receive, send)
            return
        message = await receive()
        if self._mark not in message.get("body", b""):
            waiting = [message]

            async def replay() -> Any:
                return waiting.pop() if waiting else await receive()

            await self._inner(scope, replay, send)
            return
        if self._after is None:
            # No answer at all: uvicorn's protocol object is the only way to its socket.
            send.__self__.transport.abort()
            return
        headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self._after, "more_body": True})
        send.__self__.transport.close()


async def test_tools_are_listed_and_called(mode: Any, app_of: Any):
    server = LiveServer("echo", "名前")
    async with http(app_of(server)) as port, running(at(port, mode=mode)) as (upstream, _):
        assert listed(upstream.listing) == ("echo", "名前")
        assert text_of(await upstream.call("名前", {"a": "\U0001f9ed\u2028"})) == (
            '{"a": "\U0001f9ed\u2028"}'
        )


@pytest.mark.parametrize("advertise", [True, False])
async def test_list_changed_leads_to_a_new_list(mode: Any, advertise: bool):
    server = LiveServer("old", advertise=advertise)
    app = Streams(server.streamable_http_app())
    async with http(app) as port, running(at(port, mode=mode)) as (_, heard):
        await app.opened(b"GET" if mode == "legacy" else b"subscriptions/listen")
        await server.change("new")
        await heard.names("new")


class Streams:
    """An ASGI app before another one that tells when a stream for news has been opened."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._open = {b"GET": asyncio.Event(), b"subscriptions/listen": asyncio.Event()}

    async def opened(self, kind: bytes) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await self._open[kind].wait()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = dict(scope.get("headers", ()))
        kind = headers.get(b"mcp-method") or scope.get("method", "").encode()

        async def tell(message: Any) -> None:
            await send(message)
            # The first piece of a subscription is its acknowledgement; a GET has none.
            first = "start" if kind == b"GET" else "body"
            if kind in self._open and message["type"] == f"http.response.{first}":
                self._open[kind].set()

        await self._inner(scope, receive, tell)


async def test_a_subscription_that_the_server_ends_is_opened_again():
    server = LiveServer("old")
    async with http(server.streamable_http_app()) as port, running(at(port)) as (_, heard):
        server.subscriptions.close()
        server.tools = LiveServer("new").tools
        await heard.names("new")
        await server.change("newer")
        await heard.names("newer")


@asynccontextmanager
async def restarted(
    names: tuple[str, ...], then: tuple[str, ...], **settings: Any
) -> AsyncIterator[tuple[Upstream, Heard, LiveServer]]:
    """An upstream whose server has been replaced by another one on the same port."""
    async with AsyncExitStack() as stack:
        async with http(LiveServer(*names).streamable_http_app()) as port:
            upstream, heard = await stack.enter_async_context(running(at(port, **settings)))
        server = LiveServer(*then)
        await stack.enter_async_context(http(server.streamable_http_app(), port))
        yield upstream, heard, server


async def test_a_server_restarted_on_the_same_port_is_found_with_its_new_tools(mode: Any):
    async with restarted(("old",), ("new",), mode=mode, poll_s=0.1) as (upstream, heard, server):
        await heard.names("new")
        assert text_of(await upstream.call("new", {"a": 1})) == '{"a": 1}'
        assert server.called == [("new", {"a": 1})]
        assert all(listed(one) in (("old",), ("new",)) for one in heard.listings)


async def test_a_restart_is_noticed_without_a_poll_in_the_modern_era():
    async with restarted(("old",), ("new",)) as (_, heard, _):
        await heard.names("new")


async def test_a_lost_session_is_reopened_and_the_call_made_once():
    async with restarted(("echo",), ("echo",), mode="legacy") as (upstream, _, server):
        calls = (upstream.call("echo", {"n": n}) for n in range(5))
        results = await asyncio.gather(*calls)
        assert [text_of(result) for result in results] == [f'{{"n": {n}}}' for n in range(5)]
        assert sorted(arguments["n"] for _, arguments in server.called) == [0, 1, 2, 3, 4]


async def test_a_refresh_finds_its_way_over_a_lost_session():
    async with restarted(("old",), ("new",), mode="legacy") as (upstream, _, _):
        await upstream.refresh(PATIENCE_S)
        assert listed(upstream.listing) == ("new",)


@pytest.mark.parametrize(
    "after", [None, b"", b'{"jsonrpc": "2.0", "id'], ids=["socket", "headers", "half"]
)
async def test_a_post_that_fails_costs_only_that_call(mode: Any, after: bytes | None):
    server = LiveServer("wait", "echo")
    app = Cutting(server.streamable_http_app(), b"cut me", after)
    async with http(app) as port, running(at(port, mode=mode)) as (upstream, heard):
        waiting = asyncio.create_task(upstream.call("wait", {"a": 1}))
        with pytest.raises(UpstreamDown):
            await upstream.call("echo", {"text": "cut me"})
        await upstream.refresh(PATIENCE_S)
        assert text_of(await upstream.call("echo", {})) == "{}"
        server.gate.set()
        assert text_of(await waiting) == '{"a": 1}'
        assert upstream.state == "ready"
        assert len(server.sessions) == (1 if mode == "legacy" else 0)
        assert all(listed(one) == ("wait", "echo") for one in heard.listings)


async def test_a_call_that_never_returns_times_out_and_the_connection_stays(mode: Any, app_of: Any):
    server = LiveServer("wait", "echo")
    async with (
        http(app_of(server)) as port,
        running(at(port, mode=mode, timeout_s=0.5)) as (upstream, _),
    ):
        with pytest.raises(UpstreamTimeout):
            await upstream.call("wait", {})
        assert text_of(await upstream.call("echo", {})) == "{}"
        assert upstream.state == "ready"


async def test_a_result_of_twenty_megabytes_arrives(mode: Any, app_of: Any):
    server = LiveServer("big", "echo")
    async with http(app_of(server)) as port, running(at(port, mode=mode)) as (upstream, _):
        result = await upstream.call("big", {"size": 20_000_000})
        assert len(text_of(result)) == 20_000_000
        assert text_of(await upstream.call("echo", {})) == "{}"


async def test_more_calls_than_a_connection_pool_usually_holds_run_at_once(mode: Any):
    server = LiveServer("wait")
    server.opens_at = 120
    async with (
        http(server.streamable_http_app()) as port,
        running(at(port, mode=mode)) as (upstream, _),
        asyncio.timeout(PATIENCE_S),
    ):
        calls = (upstream.call("wait", {"n": n}) for n in range(120))
        assert len(await asyncio.gather(*calls)) == 120


async def test_arguments_that_json_cannot_carry_never_reach_the_server(mode: Any):
    server = LiveServer("echo")
    async with (
        http(server.streamable_http_app()) as port,
        running(at(port, mode=mode)) as (upstream, _),
    ):
        with pytest.raises(InvalidArguments):
            await upstream.call("echo", {"text": "\ud800"})
        assert text_of(await upstream.call("echo", {})) == "{}"
        assert server.called == [("echo", {})]


@pytest.mark.parametrize("status", [200, 401, 404, 500])
async def test_what_is_no_mcp_server_is_told_at_once(mode: Any, status: int):
    answer = PlainTextResponse("hello", status)
    async with http(_only_http(answer)) as port, started(at(port, mode=mode)) as (upstream, _):
        with pytest.raises(UpstreamDown, match="server live cannot be used"):
            await upstream.first_listing(PATIENCE_S)


async def test_a_port_where_nobody_listens_is_told_at_once(mode: Any):
    async with http(_only_http(PlainTextResponse(""))) as port:
        pass
    async with started(at(port, mode=mode)) as (upstream, _):
        with pytest.raises(UpstreamDown, match="ConnectError"):
            await upstream.first_listing(PATIENCE_S)


async def test_a_server_that_never_answers_the_goodbye_does_not_hold_up_the_close():
    server = LiveServer("echo")
    app = server.streamable_http_app()

    async def deaf(scope: Any, receive: Any, send: Any) -> None:
        if scope.get("method") == "DELETE":
            await asyncio.Event().wait()
        await app(scope, receive, send)

    async with (
        http(deaf) as port,
        asyncio.timeout(PATIENCE_S),
        running(at(port, mode="legacy")),
    ):
        pass


def _only_http(answer: Any) -> Callable[[Any, Any, Any], Awaitable[None]]:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await answer(scope, receive, send)

    return app
