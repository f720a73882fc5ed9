"""The grade of every kind of difference between a trained tool and a live one."""

from copy import deepcopy
from typing import Any

import pytest
from mcp.types import Tool

from gateway.drift import GRADES, Drift, DriftGrade, compare, worst
from gateway.types import Toolset
from mcp_servers.support.toolset import toolset as support_revision
from tests.adapters import support_toolset

BASE: dict[str, Any] = {
    "name": "pay",
    "description": "Pay an open invoice of a customer now.",
    "title": "Pay",
    "inputSchema": {
        "type": "object",
        "properties": {
            "id": {"type": "string", "pattern": "^[0-9]+$", "description": "Its number."},
            "kind": {"type": "string", "enum": ["card", "bank"], "default": "card"},
            "sum": {"type": "number", "minimum": 1, "exclusiveMaximum": 100},
            "a/b~c": {"type": ["string", "null"], "minLength": 2, "maxLength": 9},
            "tags": {"type": "array", "items": {"type": "string", "maxLength": 5}, "maxItems": 3},
            "to": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
        "required": ["id", "kind"],
        "additionalProperties": False,
    },
    "annotations": {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True,
                    "openWorldHint": False},
}  # fmt: skip
GONE = object()


def changed(pointer: str, value: Any) -> dict[str, Any]:
    """BASE with another value at a JSON Pointer, or without what stands there."""
    tool = deepcopy(BASE)
    parts = [p.replace("~1", "/").replace("~0", "~") for p in pointer.split("/")[1:]]
    place: Any = tool
    for part in parts[:-1]:
        place = place[part]
    if value is GONE:
        del place[parts[-1]]
    else:
        place[parts[-1]] = value
    return tool


def drift(before: dict[str, Any], *after: dict[str, Any]) -> Drift:
    trained = Toolset("money", (Tool.model_validate(before),))
    return compare(trained, {tool["name"]: Tool.model_validate(tool) for tool in after})


SCHEMA = "/inputSchema"
OF = "/inputSchema/properties"

CASES: list[tuple[str, Any, DriftGrade]] = [
    # notation
    ("/title", "Pay it", "notation"),
    ("/title", GONE, "notation"),
    ("/annotations/title", "Pay it", "notation"),
    (f"{SCHEMA}/$schema", "https://json-schema.org/draft/2020-12/schema", "notation"),
    (f"{SCHEMA}/$comment", "2nd edition", "notation"),
    (f"{OF}/id/title", "Number", "notation"),
    (f"{OF}/id/examples", ["1"], "notation"),
    (f"{OF}/id/deprecated", True, "notation"),
    (f"{OF}/sum/maximum", 1000, "notation"),
    (f"{OF}/to/additionalProperties", True, "notation"),
    (f"{SCHEMA}/required", ["kind", "id"], "notation"),
    (f"{OF}/kind/enum", ["bank", "card"], "notation"),
    ("/description", "Pay an  open invoice\n of a customer now.", "notation"),
    # description
    ("/description", "Pay an open invoice.", "description"),
    ("/description", GONE, "description"),
    (f"{OF}/id/description", "The number.", "description"),
    (f"{OF}/id/description", GONE, "description"),
    (f"{OF}/kind/default", "bank", "description"),
    ("/annotations/readOnlyHint", False, "description"),
    ("/annotations/readOnlyHint", GONE, "description"),
    ("/annotations/destructiveHint", True, "description"),
    ("/annotations/destructiveHint", GONE, "description"),
    ("/annotations/idempotentHint", False, "description"),
    ("/annotations/openWorldHint", True, "description"),
    ("/annotations", GONE, "description"),
    # compatible
    (f"{OF}/note", {"type": "string"}, "compatible"),
    (f"{OF}/to/properties/street", {"type": "string"}, "compatible"),
    (f"{OF}/kind/enum", ["cash", "bank", "card"], "compatible"),
    (f"{OF}/kind/enum", GONE, "compatible"),
    (f"{OF}/sum/minimum", 0, "compatible"),
    (f"{OF}/sum/minimum", GONE, "compatible"),
    (f"{OF}/sum/exclusiveMaximum", 100.5, "compatible"),
    (f"{OF}/a~1b~0c/minLength", 1, "compatible"),
    (f"{OF}/a~1b~0c/maxLength", 10, "compatible"),
    (f"{OF}/tags/maxItems", 4, "compatible"),
    (f"{OF}/tags/items/maxLength", 6, "compatible"),
    (f"{OF}/id/type", ["string", "integer"], "compatible"),
    (f"{SCHEMA}/required", ["id"], "compatible"),
    (f"{SCHEMA}/required", GONE, "compatible"),
    (f"{SCHEMA}/additionalProperties", {"type": "string"}, "compatible"),
    (f"{SCHEMA}/additionalProperties", GONE, "compatible"),
    (f"{OF}/sum/type", GONE, "compatible"),
    (f"{OF}/id", True, "compatible"),
    (f"{OF}/id/pattern", GONE, "compatible"),
    # breaking
    (f"{SCHEMA}/required", ["id", "kind", "sum"], "breaking"),
    (f"{OF}/sum", GONE, "breaking"),
    (f"{OF}/to/properties/city", GONE, "breaking"),
    (f"{OF}/sum/type", "integer", "breaking"),
    (f"{OF}/a~1b~0c/type", "string", "breaking"),
    (f"{OF}/kind/enum", ["card"], "breaking"),
    (f"{OF}/kind/enum", ["card", "cash"], "breaking"),
    (f"{OF}/id/enum", ["1"], "breaking"),
    (f"{OF}/sum/minimum", 2, "breaking"),
    (f"{OF}/sum/maximum", 50, "breaking"),
    (f"{OF}/sum/exclusiveMaximum", 99, "breaking"),
    (f"{OF}/a~1b~0c/maxLength", 8, "breaking"),
    (f"{OF}/tags/items", {"type": "integer"}, "breaking"),
    (f"{OF}/tags/items/maxLength", 4, "breaking"),
    (f"{OF}/tags/minItems", 1, "breaking"),
    (f"{OF}/tags/uniqueItems", True, "breaking"),
    (f"{OF}/id/pattern", "^[0-9]{4}$", "breaking"),
    (f"{OF}/id/format", "uuid", "breaking"),
    (f"{OF}/sum/multipleOf", 5, "breaking"),
    (f"{OF}/to/additionalProperties", False, "breaking"),
    (f"{SCHEMA}/oneOf", [{"required": ["sum"]}], "breaking"),
    (f"{SCHEMA}/x-unknown", 1, "breaking"),
    # what no honest server sends
    (f"{OF}/sum/minimum", "none", "breaking"),
    (f"{OF}/sum/minimum", None, "breaking"),
    (f"{OF}/kind/enum", 5, "breaking"),
    (f"{SCHEMA}/required", 5, "breaking"),
    (f"{SCHEMA}/required", [["id"]], "breaking"),
    (f"{SCHEMA}/properties", [], "breaking"),
    (f"{OF}/id", False, "breaking"),
    (f"{OF}/id", 5, "breaking"),
]


@pytest.mark.parametrize(("pointer", "value", "grade"), CASES)
def test_each_difference_has_its_grade(pointer: str, value: Any, grade: DriftGrade) -> None:
    found = drift(BASE, changed(pointer, value))
    assert [(tool.tool, tool.grade) for tool in found.tools] == [("pay", grade)]
    assert found.worst == found.grade_of("pay") == grade


@pytest.mark.parametrize(
    ("pointer", "before", "after"),
    [
        ("/title", "Pay", "Pay it"),
        ("/description", BASE["description"], None),
        (f"{OF}/a~1b~0c/maxLength", 9, 8),
        (f"{OF}/tags/items/maxLength", 5, 6),
        (f"{OF}/to/properties/street", None, {"type": "string"}),
        (f"{OF}/sum/minimum", 1, None),
    ],
)
def test_a_change_tells_its_place_with_before_and_after(
    pointer: str, before: Any, after: Any
) -> None:
    (tool,) = drift(BASE, changed(pointer, GONE if after is None else after)).tools
    (change,) = tool.as_dict()["changes"]
    assert (change["pointer"], change["before"], change["after"]) == (pointer, before, after)


def test_a_required_argument_that_is_new_breaks() -> None:
    tool = changed(f"{OF}/currency", {"type": "string"})
    tool["inputSchema"]["required"].append("currency")
    (found,) = drift(BASE, tool).tools
    assert found.grade == "breaking"
    assert {change.pointer for change in found.changes} == {f"{OF}/currency", f"{SCHEMA}/required"}


def turned(value: Any) -> Any:
    """The same JSON with the keys of each object in reverse."""
    if isinstance(value, dict):
        return {key: turned(value[key]) for key in reversed(value)}
    return value


def test_the_order_of_keys_is_no_drift() -> None:
    assert drift(BASE, turned(BASE)).tools == ()
    assert drift(BASE, BASE).worst == "none"


def test_numbers_that_are_equal_as_json_are_no_drift() -> None:
    assert drift(BASE, changed(f"{OF}/sum/minimum", 1.0)).tools == ()


def test_hints_spelt_out_at_their_defaults_are_notation() -> None:
    bare = changed("/annotations", GONE)
    full = {**bare, "annotations": {"readOnlyHint": False, "destructiveHint": True}}
    assert drift(bare, full).worst == "notation"
    assert drift(full, bare).worst == "notation"


def test_a_hint_that_gets_safer_is_notation() -> None:
    assert drift(changed("/annotations", GONE), BASE).worst == "notation"


def test_the_same_tool_under_another_name_is_renamed() -> None:
    (found,) = drift(BASE, {**BASE, "name": "settle"}).tools
    assert (found.tool, found.grade, found.renamed_to) == ("pay", "renamed", "settle")
    assert found.as_dict()["renamed_to"] == "settle"
    assert found.as_dict()["score"] == found.score == 0.85


@pytest.mark.parametrize(
    "other",
    [
        {**BASE, "name": "settle", "description": "Something else altogether, with no likeness."},
        {**changed(f"{SCHEMA}/properties", {"note": {"type": "string"}}), "name": "settle"},
    ],
    ids=["another description", "other arguments"],
)
def test_a_tool_that_is_not_the_same_is_no_rename(other: dict[str, Any]) -> None:
    found = drift(BASE, other)
    assert [(t.tool, t.grade) for t in found.tools] == [("pay", "removed"), ("settle", "added")]
    assert found.worst == "removed"


def test_one_new_tool_is_the_successor_of_one_tool_only() -> None:
    twin = {**BASE, "name": "pay_again"}
    trained = Toolset("money", (Tool.model_validate(BASE), Tool.model_validate(twin)))
    found = compare(trained, {"settle": Tool.model_validate({**BASE, "name": "settle"})})
    assert [(t.tool, t.grade) for t in found.tools] == [
        ("pay", "renamed"),
        ("pay_again", "removed"),
    ]


def test_the_grades_are_ordered_from_mildest_to_worst() -> None:
    assert GRADES == (
        "none", "notation", "description", "compatible", "added", "breaking", "renamed", "removed",
    )  # fmt: skip
    assert worst(iter(reversed(GRADES))) == "removed"
    assert worst(iter(())) == "none"


def test_a_long_text_is_cut_in_what_is_shown() -> None:
    (tool,) = drift(BASE, changed("/description", "x" * 1000)).tools
    shown = tool.changes[0].as_dict()["after"]
    assert len(shown) == 400
    assert shown.endswith("…")


def test_revision_2_of_the_order_desk_is_graded_as_it_was_made() -> None:
    live = {tool.name: tool for tool in support_revision(2).tools}
    found = compare(support_toolset(), live)
    assert {tool.tool: tool.grade for tool in found.tools} == {
        "request_refund": "breaking",
        "schedule_pickup": "breaking",
        "check_stock": "renamed",
        "exchange_item": "removed",
        "gift_wrap": "added",
        "escalate": "description",
    }
    assert set(found.names) == {
        "request_refund", "schedule_pickup", "check_stock", "stock_level", "exchange_item",
        "gift_wrap", "escalate",
    }  # fmt: skip
    assert "track_order" not in found.names
    assert found.grade_of("track_order") == "none"
    assert found.worst == "removed"


def test_revision_1_of_the_order_desk_has_not_drifted() -> None:
    live = {tool.name: tool for tool in support_revision(1).tools}
    assert compare(support_toolset(), live).tools == ()
