"""Grounding in depth: nested schemas, odd input, and the rows we train with."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp.types import Tool

from gateway.grounding.ground import Ungrounded, ungrounded
from gateway.types import Call, Message
from tests.adapters import support_toolset
from training.rows import read_rows

ORDER = {"type": "string", "pattern": "^ORD-[0-9]{4,6}$"}
ROWS = Path(__file__).parents[3] / "training" / "data" / "support"
SHARED = Path("/work/shared/data/support")


def found_in(schema: dict[str, Any], arguments: dict[str, Any], text: str = "hello") -> list[str]:
    tool = Tool(name="t", input_schema={"type": "object", **schema})
    found = ungrounded(Call("t", arguments), tool, [Message("user", text)])
    return [missing.pointer for missing in found]


@pytest.mark.parametrize(
    ("schema", "arguments", "pointer"),
    [
        ({"properties": {"a": {"properties": {"b": ORDER}}}}, {"a": {"b": "ORD-1234"}}, "/a/b"),
        ({"properties": {"a": {"items": ORDER}}}, {"a": ["ORD-1234"]}, "/a/0"),
        ({"additionalProperties": ORDER}, {"a/b~c": "ORD-1234"}, "/a~1b~0c"),
        ({"properties": {"a": {"$ref": "#/$defs/o"}}, "$defs": {"o": ORDER}},
         {"a": "ORD-1234"}, "/a"),
        ({"properties": {"a": {"$ref": "#/$defs/o~1p"}}, "$defs": {"o/p": ORDER}},
         {"a": "ORD-1234"}, "/a"),
        ({"properties": {"a": {"anyOf": [ORDER, {"type": "null"}]}}}, {"a": "ORD-1234"}, "/a"),
        ({"properties": {"a": {"oneOf": [{"type": "null"}, {"$ref": "#/$defs/o"}]}},
          "$defs": {"o": ORDER}}, {"a": "ORD-1234"}, "/a"),
        ({"properties": {"a": {"allOf": [ORDER]}}}, {"a": "ORD-1234"}, "/a"),
        ({"properties": {"a": {"$ref": "#"}, "b": ORDER}}, {"a": {"a": {"b": "ORD-1234"}}},
         "/a/a/b"),
    ],
)  # fmt: skip
def test_identifiers_are_found_wherever_the_schema_puts_them(
    schema: dict[str, Any], arguments: dict[str, Any], pointer: str
):
    assert found_in(schema, arguments) == [pointer]
    assert found_in(schema, arguments, "ORD-1234") == []


def test_an_identifier_is_found_as_deep_as_arguments_may_go():
    arguments: dict[str, Any] = {"b": "ORD-1234"}
    for _ in range(62):
        arguments = {"a": arguments}
    schema = {"properties": {"a": {"$ref": "#"}, "b": ORDER}}
    assert found_in(schema, arguments) == ["/a" * 62 + "/b"]


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"$ref": "#"}}, "$ref": "#"},
        {"properties": {"a": {"$ref": "#/$defs/none"}}},
        {"properties": {"a": {"$ref": "https://example.com/x"}}},
        {"properties": {"a": {"$ref": "#/$defs/l"}}, "$defs": {"l": {"$ref": "#/$defs/l"}}},
        {"properties": {"a": True}},
        {"properties": {"a": {"items": False}}},
        {
            "properties": {"a": {"$ref": "#/$defs/l"}},
            "$defs": {"l": {"anyOf": [{"$ref": "#/$defs/l"}]}},
        },
    ],
)
def test_a_schema_that_says_nothing_finds_no_identifier(schema: dict[str, Any]):
    assert found_in(schema, {"a": "ORD-1234"}) == []


def test_a_value_of_an_enum_is_no_identifier_where_null_is_an_alternative_either():
    path = {"anyOf": [{"type": "string", "enum": ["src/main.py"]}, {"type": "null"}]}
    assert found_in({"properties": {"a": path}}, {"a": "src/main.py"}) == []


def test_each_ungrounded_identifier_is_named_with_its_value():
    tool = Tool(name="t", input_schema={"type": "object", "additionalProperties": ORDER})
    call = Call("t", {"a": "ORD-1111", "b": "ORD-2222", "c": "ORD-3333"})
    found = ungrounded(call, tool, [Message("user", "swap 2222")])
    assert found == [Ungrounded("/a", "ORD-1111"), Ungrounded("/c", "ORD-3333")]
    assert found[0].as_dict() == {"pointer": "/a", "value": "ORD-1111"}


@pytest.mark.parametrize("pattern", ["", "(", "^", "^[", "^(?!x)", "^ORD-|^X-", "^ORD-?[0-9]+$"])
def test_any_pattern_is_read_without_raising(pattern: str):
    schema = {"properties": {"a": {"type": "string", "pattern": pattern}}}
    assert found_in(schema, {"a": "ORD-1234"}) == ["/a"]
    assert found_in(schema, {"a": "ORD-1234"}, "ORD-1234") == []


WORDS = ["one", "double", "²", "oh", "1", "-", ".", "at", "dot", "hundred", "and", "de"]
KINDS = [ORDER, {"format": "email"}, {"format": "date"}, {"pattern": "^[A-Z]{2}$"}, {}]


@settings(deadline=None)
@given(
    st.sampled_from(KINDS),
    st.text() | st.integers() | st.floats() | st.sampled_from(["DE", "2027-06-14", "a@b.de"]),
    st.text() | st.lists(st.sampled_from(WORDS)).map(" ".join),
)
def test_no_value_and_no_text_raises(schema: dict[str, Any], value: Any, text: str):
    found_in({"properties": {"a": schema}}, {"a": value}, text)


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=999_999), st.text(alphabet="abc ,.?!\n"))
def test_an_order_number_that_stands_in_the_text_always_grounds(number: int, around: str):
    order = f"ORD-{number:04}"
    text = f"{around} {order} {around}"
    assert found_in({"properties": {"a": ORDER}}, {"a": order}, text) == []


@pytest.mark.parametrize("text", ["1 " * 50_000, "one " * 20_000, "a.b@" * 20_000, "0" * 100_000])
def test_a_long_text_is_read_to_its_end(text: str):
    schema = {"properties": {"a": ORDER, "b": {"format": "email"}, "c": {"type": "integer"}}}
    call = {"a": "ORD-4321", "b": "x@y.de", "c": 7654321}
    assert found_in(schema, call, text) == ["/a", "/b", "/c"]
    assert found_in(schema, call, f"{text}\nORD-4321, x@y.de and 7654321") == []


@pytest.mark.parametrize("folder", [ROWS / "train", ROWS / "validation", ROWS / "test", SHARED])
def test_every_call_of_our_rows_is_grounded(folder: Path):
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here")
    desk = support_toolset()
    for row in read_rows(folder, desk):
        for call in row.calls:
            assert ungrounded(call, desk.by_name[call.tool], row.messages) == [], row.text


def test_no_identifier_of_our_rows_grounds_when_nobody_says_it():
    desk = support_toolset()
    calls = [call for row in read_rows(ROWS / "test", desk) for call in row.calls]
    silent = [Message("user", "hello"), Message("assistant", " ".join(map(str, calls)))]
    with_order = [call for call in calls if "order_id" in call.arguments]
    assert len(with_order) > 50
    for call in with_order:
        found = ungrounded(call, desk.by_name[call.tool], silent)
        assert "/order_id" in [missing.pointer for missing in found]
        turned = call.arguments["order_id"][:4] + call.arguments["order_id"][:3:-1]
        if turned != call.arguments["order_id"]:
            other = dataclasses.replace(call, arguments=call.arguments | {"order_id": turned})
            said = [Message("user", call.arguments["order_id"])]
            pointers = [m.pointer for m in ungrounded(other, desk.by_name[call.tool], said)]
            assert "/order_id" in pointers
