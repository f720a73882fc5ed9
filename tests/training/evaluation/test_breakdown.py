"""Groups, confusion and cost."""

from typing import Any

from gateway.types import Toolset
from tests.training.evaluation.samples import DESK, NO_TOOL, answer, cancel, track
from training.evaluation.breakdown import by_group, confusion, cost, latency, tool_group

BROKEN = {"tool": "track_order", "arguments": {"order_id": "12"}}
INVENTED = track("ORD-9999")


def cell(matrix: dict[str, Any], wanted: str, called: str) -> int:
    return matrix["counts"][matrix["wanted"].index(wanted)][matrix["called"].index(called)]


def test_each_row_stands_where_what_was_wanted_meets_what_came() -> None:
    found = [
        answer(track(), track()),
        answer(track(), track()),
        answer(track(), cancel()),
        answer(track()),
        answer(track(), INVENTED),
        answer(track(), BROKEN),
        answer(track(), {"tool": "fly", "arguments": {}}),
        answer(track(), track(), cancel()),
        answer({"calls": [track(), cancel()]}, track()),
        answer({"calls": [track(), cancel()]}, cancel(), track()),
        answer(NO_TOOL),
        answer(NO_TOOL, track()),
    ]
    matrix = confusion(found, DESK)
    assert {
        (wanted, called): cell(matrix, wanted, called)
        for wanted in matrix["wanted"]
        for called in matrix["called"]
        if cell(matrix, wanted, called)
    } == {
        ("track_order", "track_order"): 2,
        ("track_order", "cancel_order"): 1,
        ("track_order", "no_tool"): 1,
        ("track_order", "abstained"): 1,
        ("track_order", "invalid"): 2,
        ("track_order", "several"): 1,
        ("several", "track_order"): 1,
        ("several", "several"): 1,
        ("no_tool", "no_tool"): 1,
        ("no_tool", "track_order"): 1,
    }


def test_every_tool_has_its_line_and_column_even_without_a_row() -> None:
    matrix = confusion([answer(NO_TOOL)], DESK)
    tools = list(DESK.by_name)
    assert matrix["wanted"] == [*tools, "no_tool", "several"]
    assert matrix["called"] == [*tools, "no_tool", "abstained", "invalid", "several"]
    assert [len(line) for line in matrix["counts"]] == [len(tools) + 4] * (len(tools) + 2)


def test_a_wanted_tool_that_the_toolset_does_not_have_gets_a_line() -> None:
    only = Toolset("desk", (DESK.by_name["track_order"],))
    matrix = confusion([answer(cancel())], only)
    assert matrix["wanted"] == ["track_order", "cancel_order", "no_tool", "several"]
    assert cell(matrix, "cancel_order", "no_tool") == 1


def test_a_group_has_exact_and_its_other_figures_with_their_own_denominators() -> None:
    found = [
        answer(track(), track()),
        answer(track(), track("ORD-5678")),
        answer(track(), cancel()),
        answer(track()),
        answer(NO_TOOL),
    ]
    groups = by_group(found, tool_group)
    assert list(groups) == ["no_tool", "track_order"]
    tracked = groups["track_order"]
    assert (tracked["k"], tracked["n"], tracked["value"]) == (1, 4, 0.25)
    assert [
        (tracked[name]["k"], tracked[name]["n"])
        for name in ("tool_name_accuracy", "argument_match_accuracy", "wrong_call_rate")
    ] == [(2, 4), (1, 2), (2, 4)]
    low, high = tracked["wrong_call_rate"]["ci95"]
    assert low < 0.5 < high
    assert groups["no_tool"]["tool_name_accuracy"]["value"] is None


def test_rows_that_want_several_calls_count_with_their_first_tool() -> None:
    assert tool_group(answer({"calls": [cancel(), track()]})) == "cancel_order"


def test_latency_is_in_milliseconds() -> None:
    found = [answer(NO_TOOL, seconds=number / 1000) for number in range(1, 101)]
    assert latency(found) == {"p50": 50.5, "p95": 96.0}
    assert cost(found)["latency_ms"] == latency(found)
    assert latency(found[:1]) == {"p50": 1.0, "p95": 1.0}
