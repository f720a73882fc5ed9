"""The tools that chats may call, and how long they are for an LLM."""

import json
import logging

import pytest
from mcp.types import Tool

from gateway.offered import Offered, Offering
from gateway.prompt import openai_tools
from gateway.types import Toolset
from tests.adapters import support_toolset

LIVE = support_toolset()


def as_sent(*tools: Tool) -> int:
    """The characters between the brackets of `tools` in a chat's body."""
    return len(json.dumps(openai_tools(Toolset("x", tools)))) - 2


@pytest.mark.parametrize("count", [0, 1, 2, len(LIVE.tools)])
def test_tools_are_as_long_as_in_the_body_of_a_chat(count: int) -> None:
    tools = LIVE.tools[:count]
    assert Offering().sent(tools).chars == as_sent(*tools)


def test_a_selection_is_as_long_as_its_own_tools() -> None:
    offered = Offering().live(LIVE)
    whole = offered.chars
    chosen = offered.only(frozenset({"track_order", "check_stock", "unheard"}))
    assert list(chosen.by_name) == [n for n in LIVE.by_name if n in ("track_order", "check_stock")]
    assert chosen.chars == as_sent(*chosen.by_name.values()) < whole
    assert offered.only(frozenset()).chars == 0
    assert offered.only(None) is offered


def test_live_tools_are_prepared_once_for_each_list_of_them() -> None:
    offering = Offering()
    first = offering.live(LIVE)
    assert offering.live(LIVE) is first
    longer = LIVE.tools[0].model_copy(update={"description": "x" * 1_000})
    changed = offering.live(Toolset(LIVE.name, (longer, *LIVE.tools[1:])))
    assert changed.chars == as_sent(longer, *LIVE.tools[1:]) > first.chars
    assert offering.live(Toolset("other", LIVE.tools[:1])).chars == as_sent(LIVE.tools[0])


def test_a_name_that_is_none_of_openais_is_left_out_and_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    odd = Tool(name="files.read", input_schema={"type": "object"})
    offering = Offering()
    with caplog.at_level(logging.WARNING):
        first = offering.live(Toolset("files", (odd, *LIVE.tools)))
        again = offering.live(Toolset("files", (odd, *LIVE.tools)))
    assert list(first.by_name) == list(again.by_name) == list(LIVE.by_name)
    assert [record.__dict__["tool"] for record in caplog.records] == ["files.read"]


def test_tools_that_an_agent_sends_again_are_known() -> None:
    offering = Offering()
    first, again = (offering.sent(support_toolset().tools) for _ in range(2))
    assert again is first
    (tool, *rest) = LIVE.tools
    for other in ({"description": "x" * 1_000}, {"input_schema": {"const": True}}):
        changed = (tool.model_copy(update=other), *rest)
        assert offering.sent(changed).chars == as_sent(*changed)
    ones = [tool.model_copy(update={"input_schema": {"const": one}}) for one in (True, 1, 1.0)]
    assert len({id(offering.sent([one])) for one in ones}) == 3


def test_before_the_servers_have_listed_nothing_is_offered() -> None:
    offered = Offering().live(None)
    assert isinstance(offered, Offered)
    assert (offered.by_name, offered.chars) == ({}, 0)
