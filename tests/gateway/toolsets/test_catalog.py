"""The catalog is a pure function of the lists: names, prefixes, collisions, what is left out."""

from typing import Any

import pytest
from mcp.types import Tool

from gateway.config import ServerConfig, ToolsetConfig
from gateway.toolsets.catalog import Catalog, build_catalog, collisions
from gateway.toolsets.listing import Listing

OBJECT: dict[str, Any] = {"type": "object"}


def server(name: str, prefix: str = "") -> ServerConfig:
    return ServerConfig(name=name, command="unused", prefix=prefix)


def listing(*names: str, schema: dict[str, Any] = OBJECT, **more: Any) -> Listing:
    return Listing(tuple(Tool(name=name, input_schema=schema, **more) for name in names))


def test_entries_stand_in_the_order_of_servers_and_of_their_lists():
    catalog = build_catalog([(server("b"), listing("z", "y")), (server("a"), listing("x"))], ())
    assert list(catalog.entries) == ["z", "y", "x"]
    assert [entry.server for entry in catalog.entries.values()] == ["b", "b", "a"]


def test_a_tool_keeps_its_name_whatever_else_is_registered():
    alone = build_catalog([(server("a"), listing("t"))], ())
    beside = build_catalog([(server("a"), listing("t")), (server("b"), listing("u"))], ())
    assert alone.entries["t"].tool == beside.entries["t"].tool
    assert alone.entries["t"].fingerprint == beside.entries["t"].fingerprint


def test_a_prefix_is_prepended_as_it_is_and_the_server_s_own_name_is_kept():
    catalog = build_catalog([(server("a", "a__"), listing("t", "a__t"))], ())
    assert {name: entry.own_name for name, entry in catalog.entries.items()} == {
        "a__t": "t",
        "a__a__t": "a__t",
    }
    assert catalog.entries["a__t"].tool.name == "a__t"


def test_a_fingerprint_covers_the_name_as_agents_see_it():
    plain = build_catalog([(server("a"), listing("t"))], ())
    prefixed = build_catalog([(server("a", "p_"), listing("t"))], ())
    assert plain.entries["t"].fingerprint != prefixed.entries["p_t"].fingerprint


def test_of_two_servers_with_one_name_the_first_keeps_it_and_the_reason_names_a_prefix():
    catalog = build_catalog([(server("a"), listing("t")), (server("b"), listing("t", "u"))], ())
    assert {name: entry.server for name, entry in catalog.entries.items()} == {"t": "a", "u": "b"}
    [left] = catalog.left_out
    assert (left.server, left.tool) == ("b", "t")
    assert left.reason == (
        "tool 't' of server b is already offered by a; set a prefix for b, for example \"b_\""
    )


def test_a_name_stays_with_the_server_that_has_it_while_it_lists_it():
    before = build_catalog([(server("a"), listing("x")), (server("b"), listing("pay"))], [])
    slipped_in = [(server("a"), listing("x", "pay")), (server("b"), listing("pay"))]
    after = build_catalog(slipped_in, [], before)
    assert after.entries["pay"].server == "b"
    assert [(item.server, item.tool) for item in after.left_out] == [("a", "pay")]
    given_up = [(server("a"), listing("x", "pay")), (server("b"), listing())]
    assert build_catalog(given_up, [], after).entries["pay"].server == "a"


def test_a_collision_can_arise_from_a_prefix():
    catalog = build_catalog([(server("a"), listing("b_t")), (server("b", "b_"), listing("t"))], ())
    assert catalog.entries["b_t"].server == "a"
    assert [item.server for item in catalog.left_out] == ["b"]


@pytest.mark.parametrize(
    ("prefix", "name", "offered"),
    [
        ("", "no_tool", False),
        ("", "route", False),
        ("no_", "tool", False),
        ("x_", "route", True),
        ("", "Route", True),
        ("", "routes", True),
    ],
)
def test_reserved_names_are_never_offered(prefix: str, name: str, offered: bool):
    catalog = build_catalog([(server("a", prefix), listing(name, "good"))], ())
    assert (prefix + name in catalog.entries) is offered
    assert prefix + "good" in catalog.entries
    assert [item.reason for item in catalog.left_out] == (
        [] if offered else [f"{prefix + name!r} is a reserved name; set a prefix for server a"]
    )


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({}, '"type": "object"'),
        ({"type": "array"}, '"type": "object"'),
        ({"type": "object", "properties": {"a": {"type": "strin"}}}, "cannot be compiled"),
        ({"type": "object", "properties": {"a": {"pattern": "("}}}, "cannot be compiled"),
        ({"type": "object", "$ref": "https://example.com/schema"}, "not fetched"),
        ({"type": "object", "$ref": "#/$defs/absent"}, "cannot be compiled"),
    ],
)
def test_a_tool_whose_schema_cannot_be_compiled_is_left_out_alone(
    schema: dict[str, Any], reason: str
):
    tools = (*listing("good").tools, *listing("bad", schema=schema).tools, *listing("fine").tools)
    catalog = build_catalog([(server("a"), Listing(tools))], ())
    assert list(catalog.entries) == ["good", "fine"]
    [left] = catalog.left_out
    assert left.tool == "bad"
    assert reason in left.reason


def test_what_the_list_left_out_stands_in_the_catalog():
    found = Listing(listing("t").tools, (("bad", "not an MCP tool: x"),))
    [left] = build_catalog([(server("a"), found)], ()).left_out
    assert (left.server, left.tool, left.reason) == ("a", "bad", "not an MCP tool: x")


def test_validators_of_unchanged_tools_are_taken_over():
    first = build_catalog([(server("a"), listing("t", "u"))], ())
    changed = Listing((*listing("t").tools, *listing("u", description="new").tools))
    second = build_catalog([(server("a"), changed)], (), first)
    assert second.entries["t"] == first.entries["t"]
    assert second.entries["u"].validator is not first.entries["u"].validator


def test_a_changed_schema_is_validated_by_its_own_validator():
    first = build_catalog([(server("a"), listing("t"))], ())
    strict = {"type": "object", "required": ["id"]}
    second = build_catalog([(server("a"), listing("t", schema=strict))], (), first)
    assert not first.entries["t"].validator.errors({})
    assert second.entries["t"].validator.errors({})


LIVE = [(server("a"), listing("t", "u")), (server("b"), listing("v"))]


@pytest.mark.parametrize(
    ("servers", "tools", "names"),
    [
        (("a",), None, ["t", "u"]),
        (("b", "a"), None, ["t", "u", "v"]),
        (("a", "b"), ("v", "t"), ["v", "t"]),
        (("a",), ("v", "t"), ["t"]),
        (("a",), ("absent",), []),
        (("down",), None, []),
        ((), None, []),
    ],
)
def test_a_toolset_selects_from_what_is_live(
    servers: tuple[str, ...], tools: tuple[str, ...] | None, names: list[str]
):
    chosen = ToolsetConfig(name="s", servers=servers, tools=tools)
    catalog = build_catalog(LIVE, [chosen])
    assert list(catalog.toolsets["s"].by_name) == names


def test_every_server_is_a_toolset_of_its_own_name():
    catalog = build_catalog([(server("GitHub"), listing("t")), (server("b"), listing("v"))], ())
    assert {name: list(one.by_name) for name, one in catalog.toolsets.items()} == {
        "GitHub": ["t"],
        "b": ["v"],
    }


def test_a_configured_toolset_stands_before_the_server_of_its_name():
    catalog = build_catalog(LIVE, [ToolsetConfig(name="a", servers=("b",))])
    assert list(catalog.toolsets["a"].by_name) == ["v"]


def test_collisions_are_told_for_a_newcomer_and_never_for_the_server_itself():
    catalog = build_catalog(LIVE, ())
    [line] = collisions(catalog, server("c"), listing("v", "w"))
    assert line.startswith("tool 'v' of server c is already offered by b; set a prefix for c")
    assert collisions(catalog, server("b"), listing("v")) == []
    assert collisions(catalog, server("c", "c_"), listing("v")) == []
    assert collisions(Catalog(), server("c"), listing("v")) == []


def test_the_json_form_shows_server_fingerprint_toolsets_and_what_is_left_out():
    live = [*LIVE, (server("c"), listing("t"))]
    catalog = build_catalog(live, [ToolsetConfig(name="s", servers=("b",))])
    shown = catalog.to_json()
    assert [(one["name"], one["server"]) for one in shown["tools"]] == [
        ("t", "a"),
        ("u", "a"),
        ("v", "b"),
    ]
    assert shown["tools"][0]["inputSchema"] == OBJECT
    assert shown["tools"][0]["fingerprint"] == catalog.entries["t"].fingerprint
    chosen = {one["name"]: one["tools"] for one in shown["toolsets"]}
    assert chosen == {"a": ["t", "u"], "b": ["v"], "c": [], "s": ["v"]}
    assert [item["server"] for item in shown["left_out"]] == ["c"]
