"""What becomes of a row when the tools behind it change."""

from typing import Any

import pytest

from gateway.drift import compare
from gateway.heal.moves import moves_of
from gateway.heal.relabel import Healed, Relabeller
from gateway.types import Toolset

Wire = dict[str, Any]
ORDER: Wire = {"type": "string", "pattern": "^ORD-[0-9]{4}$", "description": "Which order."}
FIND: Wire = {
    "name": "find_order",
    "description": "Find an order.",
    "inputSchema": {
        "type": "object",
        "properties": {
            "order_id": ORDER,
            "note": {"type": "string", "description": "A remark for the desk."},
            "speed": {"enum": ["slow", "fast"]},
        },
        "required": ["order_id"],
    },
}
STAY: Wire = {"name": "close_shop", "description": "Close it.", "inputSchema": {"type": "object"}}
TRAINED = Toolset.from_json({"name": "shop", "tools": [FIND, STAY]})


def find(required: tuple[str, ...] = ("order_id",), name: str = "find_order", **more: Any) -> Wire:
    """The tool with its arguments changed; None takes one away."""
    properties = {k: v for k, v in (FIND["inputSchema"]["properties"] | more).items() if v}
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return FIND | {"name": name, "inputSchema": schema}


def healed(live: list[Wire], target: Wire, request: str = "Find ORD-1234", **more: Any) -> Healed:
    toolset = Toolset.from_json({"name": "shop", "tools": live})
    drift = compare(TRAINED, toolset.by_name)
    row = {"request": request, "target": target, "toolset": TRAINED.fingerprint[:16], **more}
    return Relabeller(TRAINED, toolset, drift).heal(row)


def call(**arguments: Any) -> Wire:
    return {"tool": "find_order", "arguments": {"order_id": "ORD-1234", **arguments}}


def test_a_row_whose_tool_did_not_change_holds_and_names_the_live_toolset():
    live = [FIND, STAY | {"description": "Close the shop."}]
    found = healed(live, call(), kind="call")
    expected = Toolset.from_json({"name": "shop", "tools": live}).fingerprint[:16]
    assert found.verdict == "holds"
    assert found.row == {
        "request": "Find ORD-1234", "target": call(), "toolset": expected, "kind": "call",
    }  # fmt: skip


def test_a_renamed_tool_is_relabelled():
    found = healed([find(name="get_order"), STAY], call())
    assert found.verdict == "relabelled"
    assert found.row["target"] == {**call(), "tool": "get_order"}


def test_each_of_several_calls_is_relabelled():
    two = {"calls": [call(), {"tool": "close_shop", "arguments": {}}]}
    found = healed([find(name="get_order"), STAY], two)
    assert [c["tool"] for c in found.row["target"]["calls"]] == ["get_order", "close_shop"]
    assert found.tools == ("find_order", "close_shop")


def test_an_argument_with_the_same_schema_and_description_is_renamed_in_call_and_accept():
    found = healed(
        [find(("order",), order_id=None, order=ORDER), STAY], call(), accept=["order_id"]
    )
    assert found.verdict == "relabelled"
    assert found.row["target"]["arguments"] == {"order": "ORD-1234"}
    assert found.row["accept"] == ["order"]


def test_a_plain_text_argument_is_renamed_only_with_its_description():
    same = find(note=None, remark={"type": "string", "description": "A remark for the desk."})
    other = find(note=None, colour={"type": "string", "description": "The colour it has."})
    row = call(note="soon")
    assert healed([same, STAY], row).row["target"]["arguments"]["remark"] == "soon"
    found = healed([other, STAY], row)
    assert (found.verdict, found.why) == (
        "aside", "find_order: what note is called now is not certain",
    )  # fmt: skip
    assert healed([other, STAY], call()).verdict == "holds"


def test_an_argument_that_is_gone_is_left_out():
    found = healed([find(speed=None), STAY], call(speed="fast"))
    assert found.verdict == "relabelled"
    assert found.row["target"] == call()


@pytest.mark.parametrize(
    ("live", "target", "why"),
    [
        ([STAY], call(), "find_order is gone"),
        ([find(speed={"enum": ["fast"]}), STAY], call(speed="slow"), "/speed"),
        ([find(("order_id", "note")), STAY], call(), '"note" is a required property'),
    ],
    ids=["a removed tool", "an enum value that is gone", "an argument newly required"],
)
def test_what_is_not_mechanical_is_set_aside_with_its_reason(
    live: list[Wire], target: Wire, why: str
):
    found = healed(live, target)
    assert found.verdict == "aside"
    assert why in (found.why or "")
    assert found.row["target"] == target


def test_arguments_that_do_not_ground_are_set_aside():
    found = healed([find(name="get_order"), STAY], call(), request="Find my order")
    assert (found.verdict, found.why) == (
        "aside", "get_order: /order_id 'ORD-1234' is not in the conversation",
    )  # fmt: skip


NONE = {"tool": "no_tool", "reason": "no tool wraps gifts"}


def test_a_row_without_a_call_is_set_aside_where_an_added_tool_may_be_meant():
    wrap = {"name": "gift_wrap", "description": "Wrap it.", "inputSchema": {"type": "object"}}
    asked = healed([FIND, STAY, wrap], NONE, request="Please wrap my order as a gift")
    other = healed([FIND, STAY, wrap], NONE | {"reason": "chat"}, request="It was a gift")
    assert (asked.verdict, asked.tools) == ("aside", ("gift_wrap",))
    assert other.verdict == "holds"


def test_a_row_that_lacked_an_argument_is_set_aside_when_it_is_required_no_more():
    lacking = {"tool": "no_tool", "reason": "need order_id before find_order"}
    assert healed([find(()), STAY], lacking, request="Find it").verdict == "aside"
    assert healed([find(speed=None), STAY], lacking, request="Find it").verdict == "holds"


def test_the_reason_of_a_row_without_a_call_follows_a_renamed_tool():
    lacking = {"tool": "no_tool", "reason": "need order_id before find_order"}
    found = healed([find(name="get_order"), STAY], lacking, request="Find it")
    assert found.verdict == "relabelled"
    assert found.row["target"]["reason"] == "need order_id before get_order"


def test_two_new_arguments_of_one_schema_prove_nothing():
    live = Toolset.from_json(
        {"name": "shop", "tools": [find(("a", "b"), order_id=None, a=ORDER, b=ORDER), STAY]}
    )
    moves = moves_of(TRAINED, live, compare(TRAINED, live.by_name))["find_order"]
    assert (moves.renamed, moves.unproven, moves.dropped) == ({}, {"order_id"}, frozenset())


def test_a_name_in_another_spelling_is_the_same_argument():
    bare = {"type": "string", "pattern": "^ORD-[0-9]{4}$"}
    found = healed([find(("orderId",), order_id=None, orderId=bare), STAY], call())
    assert found.row["target"]["arguments"] == {"orderId": "ORD-1234"}


def test_like_values_under_another_name_and_description_prove_nothing():
    other = ORDER | {"description": "The order to merge it with."}
    found = healed([find((), order_id=None, other_order=other), STAY], call())
    assert (found.verdict, found.row["target"]) == ("aside", call())


def test_an_argument_that_is_gone_is_kept_in_doubt_where_a_new_one_has_its_type():
    find_now = find(speed=None, pace={"type": "string", "description": "Of the search."})
    assert healed([find_now, STAY], call(speed="fast")).verdict == "aside"


def test_a_row_whose_reason_names_a_tool_that_is_gone_is_set_aside():
    lacking = {"tool": "no_tool", "reason": "need order_id before find_order"}
    assert healed([STAY], lacking, request="Find it").verdict == "aside"


def test_an_argument_of_which_something_within_is_gone_is_in_doubt():
    def to(*names: str) -> Wire:
        return {"type": "object", "properties": {name: {"type": "string"} for name in names}}

    def toolset(schema: Wire) -> Toolset:
        return Toolset.from_json({"name": "shop", "tools": [find(to=schema)]})

    trained, live = toolset(to("zip", "city")), toolset(to("city"))
    moves = moves_of(trained, live, compare(trained, live.by_name))["find_order"]
    assert moves.unproven == {"to"}


def spoken(before: list[str], after: list[str], value: Any, *, listed: bool = False) -> Healed:
    """A call whose argument `when` has this value, over an enum that became another."""

    def toolset(words: list[str]) -> Toolset:
        choice: Wire = {"enum": words}
        when = {"type": "array", "items": choice} if listed else choice
        return Toolset.from_json({"name": "shop", "tools": [find(when=when), STAY]})

    trained, live = toolset(before), toolset(after)
    row = {"request": "Find ORD-1234", "target": call(when=value), "toolset": trained.fingerprint}
    return Relabeller(trained, live, compare(trained, live.by_name)).heal(row)


@pytest.mark.parametrize(
    ("before", "after"),
    [("evening", "EVENING"), ("next_day", "next-day"), ("next_day", "nextDay"), ("day 2", "day2")],
)
def test_a_value_of_an_enum_in_another_spelling_is_relabelled(before: str, after: str):
    found = spoken(["noon", before], ["noon", after, "late"], before)
    assert found.verdict == "relabelled"
    assert found.row["target"] == call(when=after)


def test_each_value_of_a_list_is_respelt():
    found = spoken(["a_b", "c", "D"], ["a-b", "c", "d"], ["D", "c", "a_b"], listed=True)
    assert found.row["target"] == call(when=["d", "c", "a-b"])


@pytest.mark.parametrize(
    ("before", "after", "value"),
    [
        (["evening"], ["night"], "evening"),
        (["next_day"], ["next-day", "NEXT_DAY"], "next_day"),
        (["next_day", "nextday"], ["next-day"], "next_day"),
        (["next_day", "next-day"], ["next-day"], "next_day"),
        (["1.5"], ["15"], "1.5"),
        (["1-5"], ["15"], "1-5"),
        (["-1"], ["1"], "-1"),
        (["A-"], ["A"], "A-"),
        (["c++"], ["C"], "c++"),
    ],
)
def test_a_value_that_may_mean_another_is_set_aside(
    before: list[str], after: list[str], value: str
):
    found = spoken(before, after, value)
    assert (found.verdict, found.row["target"]) == ("aside", call(when=value))


def test_a_value_that_is_still_there_is_not_respelt():
    assert spoken(["M", "m"], ["M"], "M").verdict == "holds"
    assert spoken(["M", "m"], ["M"], "m").verdict == "aside"
