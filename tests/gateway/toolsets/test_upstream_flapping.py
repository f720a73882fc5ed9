"""What an upstream makes of a server that cannot make up its mind, or whose tools are gone."""

import logging
from pathlib import Path

import pytest
from upstream_doubles import PATIENCE_S, Script, listed, running, text_of

from gateway.errors import UpstreamDown
from gateway.toolsets.upstream import Upstream


async def flipped(upstream: Upstream, script: Script, times: int) -> None:
    """The server tells of another list so often; both lists have the tool that makes it tell."""
    for i in range(times):
        script.tell("change", "odd" if i % 2 else "even")
        await upstream.call("change", {})


async def test_a_server_that_flaps_costs_one_change_until_it_has_settled(tmp_path: Path):
    script = Script(tmp_path, "change")
    async with running(script.config()) as (upstream, heard):
        script.tell("change", "first")
        await upstream.call("change", {})
        await heard.names("change", "first")
        before = script.seen().count("tools/list")
        await flipped(upstream, script, 20)
        script.tell("change", "last")
        await upstream.call("change", {})
        await heard.names("change", "last")
        # Told 21 times; listed when the first change had settled, and again if that was too early.
        assert script.seen().count("tools/list") - before <= 4


async def test_a_refresh_does_not_wait_for_a_list_to_settle(tmp_path: Path):
    script = Script(tmp_path, "change")
    async with running(script.config()) as (upstream, heard):
        for name in ("one", "two", "three"):
            script.tell("change", name)
            await upstream.refresh(PATIENCE_S)
            assert listed(upstream.listing) == ("change", name)
        assert len(heard.listings) == 4


async def test_tools_that_are_gone_after_a_restart_are_not_offered_and_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    script = Script(tmp_path, "die", "track")
    async with running(script.config()) as (upstream, heard):
        with caplog.at_level(logging.WARNING):
            script.tell()
            with pytest.raises(UpstreamDown):
                await upstream.call("die", {})
            await heard.names()
        assert upstream.state == "ready"
        assert upstream.warning == "lists no tools; before, it listed 2"
        [told] = [r for r in caplog.records if getattr(r, "event", "") == "tools_vanished"]
        assert (told.server, told.tools_before) == ("script", 2)  # type: ignore[attr-defined]


async def test_tools_that_come_late_after_a_restart_are_found_before_the_next_poll(tmp_path: Path):
    script = Script(tmp_path, "die", "track")
    async with running(script.config(poll_s=3600)) as (upstream, heard):
        script.tell()
        with pytest.raises(UpstreamDown):
            await upstream.call("die", {})
        await heard.names()
        script.tell("track")
        await heard.names("track")
        assert upstream.warning is None
        assert text_of(await upstream.call("track", {})) == "track{}"


async def test_a_server_that_never_had_tools_is_no_news(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.WARNING):
        async with running(Script(tmp_path).config()) as (upstream, _):
            assert upstream.warning is None
    assert not caplog.records


async def test_a_server_that_fails_keeps_its_list_and_the_log_tells_its_age(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    script = Script(tmp_path, "die")
    async with running(script.config()) as (upstream, _):
        script.tell("die", dies_of=["initialize"])
        with caplog.at_level(logging.WARNING):
            for attempt in (upstream.call("die", {}), upstream.refresh(PATIENCE_S)):
                with pytest.raises(UpstreamDown):
                    await attempt
        assert upstream.state == "down"
        assert listed(upstream.listing) == ("die",)
        assert upstream.listed_at is not None
        told = [r for r in caplog.records if getattr(r, "event", "") == "upstream_down"]
        assert told
        assert "its 1 tools were listed" in told[0].getMessage()
