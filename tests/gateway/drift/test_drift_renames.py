"""Tools under new names are found, and tools that are merely alike are not taken for them."""

from typing import Any

import pytest
from mcp.types import Tool

from gateway.drift import compare
from gateway.types import Toolset
from tests.adapters import support_toolset
from tests.bench.renames import measured

ORDERS = support_toolset()


def tool(name: str, description: str | None = None, **arguments: str) -> Tool:
    properties = {key: {"type": kind} for key, kind in arguments.items()}
    schema = {"type": "object", "properties": properties}
    return Tool(name=name, description=description, input_schema=schema)


def renamed(trained: list[Tool], live: list[Tool]) -> dict[str, str | None]:
    found = compare(Toolset("its", tuple(trained)), {t.name: t for t in live})
    return {t.tool: t.renamed_to for t in found.tools if t.grade == "renamed"}


@pytest.mark.parametrize(
    "name", ["trackOrder", "TrackOrder", "track-order", "shop.track_order", "shop_track_order",
             "order_track", "TRACK_ORDER"],
)  # fmt: skip
@pytest.mark.parametrize("reworded", [False, True], ids=["as it was", "reworded"])
def test_a_tool_under_a_name_in_another_style_is_renamed(name: str, reworded: bool) -> None:
    (old,) = (t for t in ORDERS.tools if t.name == "track_order")
    change: dict[str, Any] = {"name": name}
    if reworded:
        schema = {**old.input_schema, "properties": {
            **old.input_schema["properties"], "verbose": {"type": "boolean"}}}  # fmt: skip
        change |= {"description": "Where is it? Says how far a parcel of ours has travelled.",
                   "input_schema": schema}  # fmt: skip
    others = [t for t in ORDERS.tools if t.name != "track_order"]
    assert renamed([old, *others], [*others, old.model_copy(update=change)]) == {
        "track_order": name
    }


@pytest.mark.parametrize("gone", ORDERS.tools, ids=lambda t: t.name)
def test_no_other_tool_of_the_order_desk_is_taken_for_one_that_is_gone(gone: Tool) -> None:
    for new in ORDERS.tools:
        if new is not gone:
            trained = [t for t in ORDERS.tools if t is not new]
            assert renamed(trained, [t for t in ORDERS.tools if t is not gone]) == {}


@pytest.mark.parametrize(
    ("gone", "new"),
    [
        (tool("get_merged_cells", "Get the merged cells of a sheet.", sheet="string"),
         tool("merge_cells", "Merge cells of a sheet.", sheet="string", start="string")),
        (tool("get_order", "Get one order.", order_id="string"),
         tool("get_orders", "All orders of a customer.", email="string", limit="integer")),
        (tool("is_prime", "Check if a number is prime.", n="integer"),
         tool("is_perfect", "Check if a number is perfect.", n="integer")),
        (tool("fetch", "Fetch a page of the web.", url="string"),
         tool("github_fetch", "Pull the commits of a remote.", remote="string")),
        (tool("merge_cells", "Merge a range of cells.", range="string"),
         tool("unmerge_cells", "Unmerge a range of cells.", range="string")),
        (tool("add_note_after", "Add a note after the text.", text="string"),
         tool("add_note_before", "Add a note before the text.", text="string")),
        (tool("scale", "Scale a vector.", v="array"),
         tool("matrix_scale", "Scale a matrix.", m="array", by="number")),
        (tool("roman_to_arabic", "Read a numeral.", text="string"),
         tool("arabic_to_roman", "Write a numeral.", number="integer")),
        (tool("a"), tool("b")),
    ],
    ids=lambda t: t.name,
)  # fmt: skip
def test_a_tool_that_is_alike_is_no_rename(gone: Tool, new: Tool) -> None:
    assert renamed([gone], [new]) == {}
    assert renamed([new], [gone]) == {}


def test_a_renamed_tool_tells_its_score_and_what_else_changed() -> None:
    old = tool("get_user", "Get a user by number.", user_id="string")
    new = tool("getUser", "Get a user by number.", user_id="integer")
    (found,) = compare(Toolset("its", (old,)), {"getUser": new}).tools
    assert [(c.pointer, c.grade) for c in found.changes] == [
        ("/name", "renamed"), ("/inputSchema/properties/user_id/type", "breaking"),
    ]  # fmt: skip
    assert found.score is not None
    assert 0.9 < found.score < 1
    assert found.as_dict()["score"] == round(found.score, 3)


def test_only_a_renamed_tool_has_a_score() -> None:
    old, new = tool("a", "One thing."), tool("b", "Something else.")
    found = compare(Toolset("its", (old,)), {"b": new}).tools
    assert [(t.grade, t.score, "score" in t.as_dict()) for t in found] == [
        ("removed", None, False), ("added", None, False),
    ]  # fmt: skip


def test_another_verb_for_the_same_is_a_rename() -> None:
    old = tool("get_user", "Look a customer up by number.", user_id="string")
    new = tool("fetch_user", "Look up one customer by their number.", user_id="string")
    assert renamed([old], [new]) == {"get_user": "fetch_user"}


def test_names_beyond_ascii_are_compared_too() -> None:
    old = tool("查询订单_状态", "查询一个订单的状态。", order="string")
    assert renamed([old], [old.model_copy(update={"name": "shop_查询订单_状态"})]) == {
        old.name: "shop_查询订单_状态"
    }


def test_a_thousand_tools_that_take_a_prefix_are_all_found() -> None:
    old = [tool(f"do_{i}_thing", f"Do thing number {i} of many.", at="string") for i in range(1000)]
    new = [t.model_copy(update={"name": f"srv_{t.name}"}) for t in old]
    assert renamed(old, new) == {t.name: f"srv_{t.name}" for t in old}


def test_renames_made_on_the_order_desk_are_told_from_decoys() -> None:
    wrong: list[str] = []
    found = measured(ORDERS, seed=1, wrong=wrong)
    assert wrong == []
    assert found.right == found.claimed == found.renames == len(ORDERS.tools)
