"""When a server's tools are listed next, over a clock that the tests set."""

import math

import pytest
from mcp.types import Tool

from gateway.toolsets.listing import Listing
from gateway.toolsets.pace import DEBOUNCE_S, FIRST_SETTLE_S, LAST_SETTLE_S, Pace

POLL_S = 60.0


def listing(*names: str, ttl_s: float = 0.0) -> Listing:
    tools = tuple(Tool(name=name, input_schema={"type": "object"}) for name in names)
    return Listing(tools, ttl_s=ttl_s)


A, B, NONE = listing("a"), listing("b"), listing()
FRESH = Pace(POLL_S).listed(None, A, at=0)


def test_a_first_list_is_no_change_and_the_first_change_is_read_at_once():
    assert FRESH.told_in(at=0.001) == DEBOUNCE_S
    assert FRESH.poll_in(at=0.001, chance=0.5) == POLL_S


def test_polls_are_jittered_by_a_tenth():
    assert FRESH.poll_in(at=1, chance=0) == pytest.approx(0.9 * POLL_S)
    assert FRESH.poll_in(at=1, chance=1) == pytest.approx(1.1 * POLL_S)


@pytest.mark.parametrize(
    ("ttl_s", "expected"),
    [(0, POLL_S), (5, 5), (300, 300), (0.001, 1), (1e6, 10 * POLL_S), (math.inf, 10 * POLL_S)],
)
def test_a_server_is_polled_when_its_list_is_no_longer_good_within_bounds(
    ttl_s: float, expected: float
):
    pace = Pace(POLL_S).listed(None, listing("a", ttl_s=ttl_s), at=0)
    jittered = [pace.poll_in(at=0, chance=chance) for chance in (0.0, 0.5, 1.0)]
    if ttl_s:
        assert min(jittered) == expected, "never while the list is good"
        assert max(jittered) <= 1.1 * expected
    else:
        assert jittered[1] == expected


def test_how_long_a_list_stays_good_is_no_change_of_it():
    pace = FRESH.listed(A, listing("a", ttl_s=9), at=5)
    assert pace.changed_at == -math.inf


def test_a_change_right_after_another_waits_until_that_one_has_settled():
    pace = FRESH.listed(A, B, at=10)
    assert pace.told_in(at=10) == FIRST_SETTLE_S
    assert pace.told_in(at=10.75) == pytest.approx(0.25)
    assert pace.told_in(at=11) == DEBOUNCE_S


def test_no_poll_comes_before_a_change_has_settled():
    quick = Pace(0.1).listed(None, A, at=0).listed(A, B, at=10)
    assert quick.poll_in(at=10, chance=0.5) == FIRST_SETTLE_S


@pytest.mark.parametrize("states", [(A, B), (A, B, listing("c"), listing("d"))])
def test_a_list_that_flaps_for_an_hour_costs_few_changes(states: tuple[Listing, ...]):
    pace, at, before, changes = FRESH, 0.0, A, 0
    while at < 3600:
        at += pace.told_in(at)
        now = states[(changes + 1) % len(states)]
        pace, before, changes = pace.listed(before, now, at), now, changes + 1
    # 1 + 2 + 4 + 8 + 16 seconds, then one change in thirty seconds.
    assert changes <= 6 + 3600 / LAST_SETTLE_S


def test_a_server_that_has_calmed_down_is_heard_at_once_again():
    pace, before = FRESH, A
    for at in (10, 11, 13, 17):
        now = B if before is A else A
        pace, before = pace.listed(before, now, at), now
    assert pace.settle_s == 8
    later = 17 + 2 * pace.settle_s
    pace = pace.listed(before, listing("c"), later)
    assert pace.settle_s == FIRST_SETTLE_S


def test_the_same_list_again_is_no_change():
    pace = FRESH.listed(A, B, at=10).listed(B, listing("b"), at=10.5)
    assert (pace.changed_at, pace.settle_s) == (10, FIRST_SETTLE_S)


def test_failed_lists_are_asked_for_again_later_each_time_and_never_past_the_settling():
    pace = FRESH.failed()
    assert pace.poll_in(at=5, chance=0.5) == pytest.approx(0.4)
    assert pace.failed().poll_in(at=5, chance=0.5) == pytest.approx(0.8)
    assert FRESH.listed(A, B, at=5).failed().poll_in(at=5, chance=0.5) == FIRST_SETTLE_S
    assert pace.listed(A, A, at=6).failures == 0


def test_a_server_whose_tools_are_gone_is_asked_again_soon_and_then_less_often():
    pace = FRESH.listed(A, NONE, at=10)
    assert pace.poll_in(at=10, chance=0.5) == 2
    for wait in (4, 8, 16, 32, POLL_S, POLL_S):
        pace = pace.listed(NONE, NONE, at=1000)
        assert pace.poll_in(at=1000, chance=0.5) == wait
    assert pace.listed(NONE, A, at=2000).empties == 0


def test_a_server_that_never_had_tools_is_polled_as_any_other():
    pace = Pace(POLL_S).listed(None, NONE, at=0).listed(NONE, NONE, at=60)
    assert pace.poll_in(at=60, chance=0.5) == POLL_S
