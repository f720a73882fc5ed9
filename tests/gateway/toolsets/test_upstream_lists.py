"""What an upstream takes for its server's list of tools, over stdio."""

from pathlib import Path
from typing import Any

import pytest
from upstream_doubles import PATIENCE_S, Script, listed, running, started, text_of, tool

from gateway.errors import UpstreamDown


async def test_a_list_of_several_pages_is_read_whole_and_in_order(tmp_path: Path):
    script = Script(tmp_path)
    script.tell_pages([tool("b"), tool("a")], [tool("d")], [tool("c")])
    async with running(script.config()) as (upstream, _):
        assert listed(upstream.listing) == ("b", "a", "d", "c")
        assert upstream.state == "ready"


async def test_an_empty_cursor_ends_the_list(tmp_path: Path):
    script = Script(tmp_path)
    script.tell("a", beside={"nextCursor": ""})
    async with running(script.config()) as (upstream, _):
        assert listed(upstream.listing) == ("a",)


@pytest.mark.parametrize("advertise", [True, False])
async def test_list_changed_leads_to_a_new_list_advertised_or_not(tmp_path: Path, advertise: bool):
    script = Script(tmp_path, "change")
    script.tell("change", advertise=advertise)
    async with running(script.config()) as (upstream, heard):
        script.tell("change", "new", advertise=advertise)
        await upstream.call("change", {})
        await heard.names("change", "new")


async def test_a_poll_finds_a_change_that_nobody_told(tmp_path: Path):
    script = Script(tmp_path, "old")
    async with running(script.config(poll_s=0.1)) as (_, heard):
        script.tell("new")
        await heard.names("new")


ERROR = {"error": {"code": -32603, "message": "database is locked"}}


@pytest.mark.parametrize(
    ("pages", "reason"),
    [
        ([[tool("x")], ERROR], "database is locked"),
        ([ERROR], "database is locked"),
        ([{"tools": [tool("x")], "nextCursor": "0"}], "repeats a cursor"),
        ([{"tools": None}], "without a list of tools"),
        ([{}], "without a list of tools"),
        ([{"tools": {"x": {}}}], "without a list of tools"),
    ],
    ids=["second page fails", "first page fails", "cursor", "null", "absent", "object"],
)
async def test_a_list_that_fails_keeps_the_last_good_one_and_the_connection(
    tmp_path: Path, pages: list[Any], reason: str
):
    script = Script(tmp_path, "good")
    async with running(script.config()) as (upstream, heard):
        script.tell_pages(*pages)
        with pytest.raises(UpstreamDown, match=reason):
            await upstream.refresh(PATIENCE_S)
        assert listed(upstream.listing) == ("good",)
        assert upstream.state == "down"
        assert reason in (upstream.error or "")
        assert text_of(await upstream.call("good", {})) == "good{}"
        script.tell("better")
        await heard.names("better")
        assert (upstream.state, upstream.error) == ("ready", None)
        assert script.seen().count("initialize") == 1


async def test_lists_that_keep_failing_lead_to_a_new_connection(tmp_path: Path):
    script = Script(tmp_path, "good")
    async with running(script.config(poll_s=0.05)) as (upstream, heard):
        script.tell_pages(ERROR)
        for _ in range(3):
            with pytest.raises(UpstreamDown):
                await upstream.refresh(PATIENCE_S)
        script.tell("better")
        await heard.names("better")
        assert script.seen().count("initialize") > 1
        assert all(listed(one) in (("good",), ("better",)) for one in heard.listings)


async def test_a_list_may_become_empty_if_the_server_says_so(tmp_path: Path):
    script = Script(tmp_path, "only")
    async with running(script.config()) as (upstream, _):
        script.tell()
        await upstream.refresh(PATIENCE_S)
        assert listed(upstream.listing) == ()
        assert upstream.state == "ready"


@pytest.mark.parametrize(
    "broken",
    [
        {"name": "bad", "inputSchema": {}},
        {"name": "bad", "inputSchema": []},
        {"name": "bad", "inputSchema": "object"},
        {"name": "bad", "inputSchema": None},
        {"name": "bad"},
        {"name": "bad", "input_schema": {"type": "object"}},
        {"name": "bad", "inputSchema": {"type": "object"}, "description": 7},
    ],
    ids=["empty", "array", "string", "null", "absent", "misspelt", "description"],
)
async def test_a_broken_tool_costs_only_itself(tmp_path: Path, broken: dict[str, Any]):
    script = Script(tmp_path)
    script.tell_pages([tool("first"), broken], [tool("last")])
    async with running(script.config()) as (upstream, _):
        assert upstream.listing is not None
        usable = [item for item in upstream.listing.tools if item.input_schema]
        assert [item.name for item in usable] == ["first", "last"]
        before = script.seen().count("tools/list")
        assert text_of(await upstream.call("first", {"a": 1})) == 'first{"a": 1}'
        assert text_of(await upstream.call("last", {})) == "last{}"
        assert script.seen().count("tools/list") == before


@pytest.mark.parametrize("broken", [None, 7, "tool", [], {"name": None}, {}])
async def test_what_is_no_tool_at_all_is_left_out_with_a_reason(tmp_path: Path, broken: Any):
    script = Script(tmp_path)
    script.tell_pages([tool("good"), broken])
    async with running(script.config()) as (upstream, _):
        assert upstream.listing is not None
        assert listed(upstream.listing) == ("good",)
        [(_, reason)] = upstream.listing.left_out
        assert reason.startswith("not an MCP tool")


async def test_of_two_tools_with_one_name_the_first_counts(tmp_path: Path):
    script = Script(tmp_path)
    script.tell_pages([tool("a", description="one")], [tool("b"), tool("a", description="two")])
    async with running(script.config()) as (upstream, _):
        assert upstream.listing is not None
        assert listed(upstream.listing) == ("a", "b")
        assert upstream.listing.tools[0].description == "one"
        assert upstream.listing.left_out == (("a", "listed twice; the first one counts"),)


STRANGE = "\u00e9\u202e\u0000\ufdd0\U0010ffff\U0001f9ed\u2028名"


async def test_unknown_unicode_survives_in_names_descriptions_and_results(tmp_path: Path):
    script = Script(tmp_path)
    script.tell_pages([tool("t" + STRANGE, description=STRANGE)])
    async with running(script.config()) as (upstream, _):
        assert upstream.listing is not None
        [only] = upstream.listing.tools
        assert (only.name, only.description) == ("t" + STRANGE, STRANGE)
        result = text_of(await upstream.call(only.name, {"text": "名\U0001f9ed"}))
        assert result == only.name + '{"text": "名\U0001f9ed"}'


async def test_half_a_surrogate_pair_costs_one_character(tmp_path: Path):
    script = Script(tmp_path)
    script.tell_pages([tool("half", description="a\ud800b"), tool("good")])
    async with running(script.config()) as (upstream, _):
        assert listed(upstream.listing) == ("half", "good")
        assert upstream.listing is not None
        assert upstream.listing.tools[0].description == "a?b"
        assert text_of(await upstream.call("half", {})) == "half{}"


async def test_a_first_list_that_fails_is_tried_again(tmp_path: Path):
    script = Script(tmp_path)
    script.tell_pages(ERROR)
    async with started(script.config()) as (upstream, heard):
        with pytest.raises(UpstreamDown, match="database is locked"):
            await upstream.first_listing(PATIENCE_S)
        assert upstream.listing is None
        script.tell("late")
        await heard.names("late")
