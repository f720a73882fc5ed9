"""Upstreams over stdio: processes that die, hang, talk nonsense or do not exist."""

import asyncio
import math
import sys
from pathlib import Path
from typing import Any

import pytest
from upstream_doubles import PATIENCE_S, Script, listed, running, started, text_of

from gateway.config import ServerConfig
from gateway.errors import InvalidArguments, UpstreamDown, UpstreamTimeout

SUPPORT = ("-m", "mcp_servers.support", "--today", "2026-11-02")
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_support_server_is_listed_and_called_in_both_eras(mode: Any):
    config = ServerConfig(
        name="support", command=sys.executable, args=SUPPORT, cwd=str(ROOT), mode=mode
    )
    async with running(config) as (upstream, _):
        assert "track_order" in listed(upstream.listing)
        result = await upstream.call("track_order", {"order_id": "ORD-1234"})
        assert not result.is_error


async def test_a_child_that_dies_is_restarted_and_listed_again(tmp_path: Path):
    script = Script(tmp_path, "die", "old")
    async with running(script.config()) as (upstream, heard):
        script.tell("new")
        with pytest.raises(UpstreamDown, match="closed"):
            await upstream.call("die", {})
        await heard.names("new")
        assert text_of(await upstream.call("new", {})) == "new{}"


async def test_the_era_of_a_server_is_remembered_when_it_restarts(tmp_path: Path):
    script = Script(tmp_path, "die")
    async with running(script.config()) as (upstream, heard):
        script.tell("new")
        with pytest.raises(UpstreamDown):
            await upstream.call("die", {})
        await heard.names("new")
    assert script.seen().count("initialize") == 2
    assert script.seen().count("server/discover") == 1


async def test_a_server_that_dies_of_the_probe_is_met_in_the_old_era_at_once(tmp_path: Path):
    script = Script(tmp_path)
    script.tell("shy", dies_of=["server/discover"])
    async with running(script.config()) as (upstream, heard):
        assert listed(upstream.listing) == ("shy",)
        assert len(heard.listings) == 1


async def test_calls_in_flight_fail_clearly_when_the_child_dies(tmp_path: Path):
    script = Script(tmp_path, "hang", "die")
    async with running(script.config()) as (upstream, _):
        calls = [upstream.call("hang", {}) for _ in range(5)] + [upstream.call("die", {})]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(outcome, UpstreamDown) for outcome in outcomes)


@pytest.mark.parametrize(
    ("command", "args"),
    [
        ("no-such-command-anywhere", ()),
        ("/", ()),
        (sys.executable, ("-c", "raise SystemExit(2)")),
        (sys.executable, ("-c", "print('usage: server [options]')")),
    ],
)
async def test_a_command_that_cannot_serve_is_told_at_once(command: str, args: tuple[str, ...]):
    config = ServerConfig(name="absent", command=command, args=args)
    async with started(config) as (upstream, _):
        with pytest.raises(UpstreamDown, match="server absent cannot be used"):
            await upstream.first_listing(PATIENCE_S)
        assert upstream.state == "down"
        assert upstream.listing is None
        with pytest.raises(UpstreamDown, match="not connected"):
            await upstream.call("any", {})


async def test_a_refresh_does_not_wait_for_the_next_try(tmp_path: Path):
    script = Script(tmp_path)
    script.tell("a", dies_of=["initialize", "server/discover"])
    async with started(script.config()) as (upstream, _):
        with pytest.raises(UpstreamDown):
            await upstream.first_listing(PATIENCE_S)
        for _ in range(6):  # by now the pause between tries is over ten seconds
            with pytest.raises(UpstreamDown):
                await upstream.refresh(PATIENCE_S)
        script.tell("a")
        await upstream.refresh(5)
        assert listed(upstream.listing) == ("a",)


async def test_refreshes_at_once_all_get_their_list(tmp_path: Path):
    script = Script(tmp_path, "a")
    async with running(script.config()) as (upstream, _):
        script.tell("b")
        await asyncio.gather(*(upstream.refresh(PATIENCE_S) for _ in range(10)))
        assert listed(upstream.listing) == ("b",)


async def test_a_server_that_never_answers_times_out_while_another_serves(tmp_path: Path):
    silent, script = Script(tmp_path / "silent"), Script(tmp_path / "good", "echo")
    silent.tell("a", ignores=["initialize"])
    config = silent.config("silent", timeout_s=0.5, mode="legacy")
    async with started(config) as (hung, _), running(script.config()) as (good, _):
        with pytest.raises(UpstreamDown, match="timed out"):
            await hung.first_listing(PATIENCE_S)
        assert hung.state == "down"
        assert text_of(await good.call("echo", {})) == "echo{}"


async def test_garbage_on_stdout_costs_nothing_but_itself(tmp_path: Path):
    script = Script(tmp_path, "noise", "echo")
    async with running(script.config()) as (upstream, heard):
        assert text_of(await upstream.call("noise", {})) == "noise{}"
        assert text_of(await upstream.call("echo", {})) == "echo{}"
        await upstream.refresh(PATIENCE_S)
        assert script.seen().count("initialize") == 1
        assert heard.listings


async def test_a_call_that_never_returns_times_out_and_the_connection_stays(tmp_path: Path):
    script = Script(tmp_path, "hang", "echo")
    async with running(script.config(timeout_s=0.3)) as (upstream, _):
        with pytest.raises(UpstreamTimeout, match=r"hang within 0\.3 s; the call may have run"):
            await upstream.call("hang", {})
        assert text_of(await upstream.call("echo", {})) == "echo{}"
        assert upstream.state == "ready"
        assert script.seen().count("initialize") == 1


async def test_a_result_of_twenty_megabytes_arrives(tmp_path: Path):
    script = Script(tmp_path, "big", "echo")
    async with running(script.config()) as (upstream, _):
        result = await upstream.call("big", {"size": 20_000_000})
        assert len(text_of(result)) == 20_000_000
        assert text_of(await upstream.call("echo", {})) == "echo{}"


@pytest.mark.parametrize("value", ["\ud800", math.nan, math.inf, {"deep": ["\udfff"]}])
async def test_arguments_that_json_cannot_carry_never_reach_the_server(tmp_path: Path, value: Any):
    script = Script(tmp_path, "echo")
    async with running(script.config()) as (upstream, _):
        with pytest.raises(InvalidArguments):
            await upstream.call("echo", {"value": value})
        assert text_of(await upstream.call("echo", {})) == "echo{}"
        assert script.seen().count("tools/call") == 1
        assert script.seen().count("initialize") == 1


async def test_a_refused_call_is_an_error_with_the_server_s_words(tmp_path: Path):
    script = Script(tmp_path, "refuse")
    async with running(script.config()) as (upstream, _):
        with pytest.raises(UpstreamDown, match="server script: not on Sundays"):
            await upstream.call("refuse", {})
        assert upstream.state == "ready"


async def test_what_is_no_tool_result_is_an_error_that_names_the_tool(tmp_path: Path):
    script = Script(tmp_path, "mumble", "echo")
    async with running(script.config()) as (upstream, _):
        with pytest.raises(UpstreamDown, match="answered mumble with no result"):
            await upstream.call("mumble", {})
        assert text_of(await upstream.call("echo", {})) == "echo{}"


async def test_closing_twice_or_before_the_first_answer_is_harmless(tmp_path: Path):
    script = Script(tmp_path)
    script.tell("a", ignores=["initialize"])
    async with started(script.config(mode="legacy")) as (upstream, _):
        await upstream.close()
        await upstream.close()
