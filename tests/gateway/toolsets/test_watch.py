"""All upstreams together: the live catalog, and register, remove and refresh from above."""

import asyncio
import logging
import random
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from upstream_doubles import PATIENCE_S, LiveServer, Script, at, http, text_of, tool

from gateway.config import ServerConfig, ToolsetConfig
from gateway.errors import Conflict, Forbidden, NameCollision, UnknownServer, UpstreamDown
from gateway.toolsets.catalog import Catalog
from gateway.toolsets.watch import Watch


class Told:
    """Every catalog a watch has told of."""

    def __init__(self, watch: Watch) -> None:
        self.catalogs: list[Catalog] = []
        self._news: asyncio.Queue[Catalog] = asyncio.Queue()
        watch.on_catalog(self._take)

    def _take(self, catalog: Catalog) -> None:
        self.catalogs.append(catalog)
        self._news.put_nowait(catalog)

    async def tools(self, *names: str) -> Catalog:
        """The first catalog from now on with exactly these tools."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                catalog = await self._news.get()
                if set(catalog.entries) == set(names):
                    return catalog


@asynccontextmanager
async def watching(
    servers: Sequence[ServerConfig] = (), toolsets: Sequence[ToolsetConfig] = ()
) -> AsyncIterator[tuple[Watch, Told]]:
    watch = Watch(servers, toolsets)
    told = Told(watch)
    watch.start()
    try:
        yield watch, told
    finally:
        async with asyncio.timeout(PATIENCE_S):
            await watch.close()


async def test_configured_servers_add_up_to_one_catalog(tmp_path: Path):
    one, two = Script(tmp_path / "1", "a"), Script(tmp_path / "2", "b")
    chosen = ToolsetConfig(name="both", servers=("two", "one"))
    async with watching([one.config("one"), two.config("two")], [chosen]) as (watch, told):
        assert watch.catalog.toolsets["both"].tools == ()
        catalog = await told.tools("a", "b")
        assert watch.catalog is catalog
        assert list(catalog.entries) == ["a", "b"]
        assert list(catalog.toolsets["both"].by_name) == ["a", "b"]


async def test_a_server_that_cannot_start_does_not_hold_up_the_others(tmp_path: Path):
    absent = ServerConfig(name="absent", command="no-such-command-anywhere")
    script = Script(tmp_path, "a")
    async with watching([absent, script.config()]) as (watch, told):
        await told.tools("a")
        assert [upstream.name for upstream in watch.upstreams] == ["absent", "script"]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_changed_list_leads_to_a_new_catalog(mode: Any):
    server = LiveServer("old")
    async with (
        http(server.streamable_http_app()) as port,
        watching([at(port, mode=mode, poll_s=0.1)]) as (_, told),
    ):
        await told.tools("old")
        await server.change("new", "newer")
        await told.tools("new", "newer")


async def test_a_list_that_did_not_change_makes_no_new_catalog(tmp_path: Path):
    script = Script(tmp_path, "a")
    async with watching([script.config()]) as (watch, told):
        before = await told.tools("a")
        for _ in range(3):
            await watch.refresh("script")
        assert watch.catalog is before
        assert told.catalogs == [before]


async def test_a_failed_list_leaves_the_catalog_as_it_is(tmp_path: Path):
    script = Script(tmp_path, "a")
    async with watching([script.config()]) as (watch, told):
        before = await told.tools("a")
        script.tell_pages([], {"error": {"code": -32603, "message": "broken"}})
        with pytest.raises(UpstreamDown, match="broken"):
            await watch.refresh("script")
        assert watch.catalog is before


async def test_broken_reserved_and_double_tools_are_left_out_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    script = Script(tmp_path)
    script.tell_pages(
        [tool("good"), tool("route"), tool("bad", inputSchema={"type": "object", "$ref": "#/x"})],
        [tool("good"), {"name": "worse", "inputSchema": 7}, tool("empty", inputSchema={})],
    )
    async with watching([script.config()]) as (watch, told):
        with caplog.at_level(logging.WARNING, "gateway.toolsets.watch"):
            catalog = await told.tools("good")
        names = {item.tool for item in catalog.left_out}
        assert names == {"route", "bad", "good", "worse", "empty"}
        logged = {r.__dict__["tool"] for r in caplog.records if r.__dict__.get("tool")}
        assert logged == names
        assert text_of(await watch.upstream("script").call("good", {})) == "good{}"


async def test_a_registered_server_is_live_when_register_returns(tmp_path: Path):
    async with watching() as (watch, told):
        upstream = await watch.register(Script(tmp_path, "a").config(prefix="p_"))
        assert list(watch.catalog.entries) == ["p_a"]
        assert len(told.catalogs) == 1
        assert watch.upstream("script") is upstream
        assert not watch.is_configured("script")


async def test_a_registered_server_s_later_changes_lead_to_new_catalogs(tmp_path: Path):
    script = Script(tmp_path, "change")
    async with watching() as (watch, told):
        upstream = await watch.register(script.config())
        script.tell("new")
        await upstream.call("change", {})
        await told.tools("new")


async def test_a_name_is_registered_once(tmp_path: Path):
    one, two = Script(tmp_path / "1", "a"), Script(tmp_path / "2", "b")
    async with watching() as (watch, _):
        outcomes = await asyncio.gather(
            watch.register(one.config("s")), watch.register(two.config("s")), return_exceptions=True
        )
        assert [type(outcome) for outcome in outcomes].count(Conflict) == 1
        assert len(watch.upstreams) == 1


async def test_a_collision_is_refused_with_the_prefix_to_set_and_leaves_nothing(tmp_path: Path):
    one, two = Script(tmp_path / "1", "a"), Script(tmp_path / "2", "a", "b")
    async with watching([one.config("one")]) as (watch, told):
        before = await told.tools("a")
        with pytest.raises(NameCollision, match='set a prefix for two, for example "two_"'):
            await watch.register(two.config("two"))
        assert watch.catalog is before
        with pytest.raises(UnknownServer):
            watch.upstream("two")
        await watch.register(two.config("two", prefix="two_"))
        assert list(watch.catalog.entries) == ["a", "two_a", "two_b"]


@pytest.mark.parametrize(
    "config",
    [
        ServerConfig(name="bad", command="no-such-command-anywhere"),
        ServerConfig(name="bad", command=sys.executable, args=("-c", "pass")),
        ServerConfig(name="bad", url="http://127.0.0.1:1/mcp"),
    ],
)
async def test_a_server_that_cannot_be_reached_is_not_registered(config: ServerConfig):
    async with watching() as (watch, told):
        with pytest.raises(UpstreamDown, match="server bad cannot be used"):
            await watch.register(config)
        assert watch.upstreams == ()
        assert told.catalogs == []


async def test_a_restored_server_is_taken_back_even_if_it_is_down(tmp_path: Path):
    script = Script(tmp_path)
    script.tell("a", dies_of=["initialize", "server/discover"])
    async with watching() as (watch, told):
        watch.restore(script.config())
        with pytest.raises(UpstreamDown):
            await watch.upstream("script").first_listing(PATIENCE_S)
        script.tell("a")
        await told.tools("a")


async def test_the_configuration_wins_over_a_restored_server(tmp_path: Path):
    one, two = Script(tmp_path / "1", "a"), Script(tmp_path / "2", "b")
    async with watching([one.config("s")]) as (watch, told):
        watch.restore(two.config("s"))
        await told.tools("a")
        assert len(watch.upstreams) == 1


async def test_a_removed_server_s_tools_are_gone_and_its_name_is_free(tmp_path: Path):
    script = Script(tmp_path, "a")
    async with watching() as (watch, _):
        await watch.register(script.config())
        await watch.remove("script")
        assert watch.catalog.entries == {}
        await watch.register(script.config())
        assert list(watch.catalog.entries) == ["a"]


async def test_a_configured_server_is_read_only(tmp_path: Path):
    async with watching([Script(tmp_path, "a").config()]) as (watch, told):
        await told.tools("a")
        with pytest.raises(Forbidden, match="configuration file"):
            await watch.remove("script")
        assert "a" in watch.catalog.entries


@pytest.mark.parametrize("ask", [Watch.remove, Watch.refresh])
async def test_an_unknown_server_is_told(ask: Any):
    async with watching() as (watch, _):
        with pytest.raises(UnknownServer, match="'nobody'"):
            await ask(watch, "nobody")


async def test_a_listener_that_fails_costs_neither_the_others_nor_the_connection(tmp_path: Path):
    script = Script(tmp_path, "a")
    watch = Watch([script.config()], [])

    def fail(_: Catalog) -> None:
        raise LookupError("no such thing")

    watch.on_catalog(fail)
    told = Told(watch)
    watch.start()
    try:
        await told.tools("a")
        await watch.refresh("script")
        assert script.seen().count("initialize") == 1
    finally:
        await watch.close()


async def test_twelve_upstreams_close_in_random_order_without_errors(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    async with AsyncExitStack() as stack:
        configs = [Script(tmp_path / str(n), f"s{n}").config(f"s{n}") for n in range(6)]
        for n in range(6):
            app = LiveServer(f"h{n}").streamable_http_app()
            port = await stack.enter_async_context(http(app))
            configs.append(at(port, f"h{n}", mode="auto" if n % 2 else "legacy"))
        watch, told = await stack.enter_async_context(watching(configs))
        await told.tools(*(config.name for config in configs))
        order = list(watch.upstreams)
        random.Random(5).shuffle(order)
        caplog.clear()
        async with asyncio.timeout(PATIENCE_S):
            for upstream in order[:6]:
                await upstream.close()
            await asyncio.gather(*(upstream.close() for upstream in order[6:]))
        assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
