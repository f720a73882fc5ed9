"""The Toolset as a value: reading, writing, looking up."""

import dataclasses
from typing import Any

import pytest
from mcp.types import Tool, ToolAnnotations

from gateway.fingerprint import tool_fingerprint
from gateway.types import Call, Route, Toolset, Usage

TOOLS = (
    Tool(
        name="b",
        title="B",
        description="second letter",
        input_schema={"type": "object", "properties": {"z": {}, "a": {}}, "x-order": [1]},
        annotations=ToolAnnotations(read_only_hint=True),
        _meta={"owner": "desk"},
    ),
    Tool(name="a", input_schema={"type": "object"}),
)


def test_a_toolset_survives_its_json_form_unchanged():
    toolset = Toolset("letters", TOOLS)
    again = Toolset.from_json(toolset.to_json())
    assert again == toolset
    assert again.to_json() == toolset.to_json()
    assert list(again.tools[0].input_schema["properties"]) == ["z", "a"]


def test_the_json_form_has_the_tools_in_order_as_listed_with_their_fingerprints():
    form = Toolset("letters", TOOLS).to_json()
    assert [tool["name"] for tool in form["tools"]] == ["b", "a"]
    assert form["tools"][1] == {
        "name": "a",
        "inputSchema": {"type": "object"},
        "fingerprint": tool_fingerprint(TOOLS[1]),
    }
    assert form["tools"][0]["annotations"] == {"readOnlyHint": True}
    assert form["tools"][0]["_meta"] == {"owner": "desk"}


def test_the_order_of_the_tools_does_not_change_the_fingerprint():
    turned = Toolset("letters", TOOLS[::-1])
    assert turned.fingerprint == Toolset("letters", TOOLS).fingerprint
    assert turned.fingerprint == Toolset("other", TOOLS).fingerprint
    assert turned.fingerprint != Toolset("letters", TOOLS[:1]).fingerprint


def test_a_tools_list_result_with_a_server_beside_it_is_a_toolset():
    listed = {"server": "desk", "tools": [{"name": "a", "inputSchema": {"type": "object"}}]}
    assert Toolset.from_json(listed) == Toolset("desk", TOOLS[1:])


def test_a_stored_fingerprint_is_never_believed():
    forged = {"name": "x", "fingerprint": "0", "tools": [
        {"name": "a", "inputSchema": {"type": "object"}, "fingerprint": "0"}
    ]}  # fmt: skip
    assert Toolset.from_json(forged).fingerprints == {"a": tool_fingerprint(TOOLS[1])}


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"tools": [{"name": "a", "inputSchema": {"type": "object"}}]},
        {"name": "x"},
        {"name": "x", "tools": []},
        {"name": 3, "tools": [{"name": "a", "inputSchema": {"type": "object"}}]},
        {"name": "x", "tools": [{"name": "a"}]},
        {"name": "x", "tools": [{"inputSchema": {"type": "object"}}]},
        {"name": "x", "tools": ["a"]},
        {"name": "x", "tools": {"a": 1}},
        [],
        None,
    ],
)
def test_what_is_no_toolset_is_a_value_error(value: Any):
    with pytest.raises(ValueError, match=r"."):
        Toolset.from_json(value)


def test_tools_are_found_by_name_and_the_value_is_frozen():
    toolset = Toolset("letters", TOOLS)
    assert toolset.by_name == {"b": TOOLS[0], "a": TOOLS[1]}
    with pytest.raises(dataclasses.FrozenInstanceError):
        toolset.name = "other"  # pyright: ignore[reportAttributeAccessIssue]


def test_usage_adds_up():
    assert Usage(1, 2) + Usage(10, 20) == Usage(11, 22)


def test_a_route_is_no_tool_only_without_calls_and_without_error():
    assert Route(reason="no").is_no_tool
    assert not Route(calls=(Call("a", {}),)).is_no_tool
    assert not Route(error="broken").is_no_tool
