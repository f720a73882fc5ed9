"""The walk over a call's arguments: what it finds, and what the schema says of each."""

from typing import Any

import pytest
from mcp.types import Tool

from gateway.arguments import Argument, arguments, resolved
from gateway.types import Call

ORDER = {"type": "string", "pattern": "^ORD-[0-9]{4,6}$"}
SIZE = {"type": "string", "enum": ["small", "a/b"]}
NULL = {"type": "null"}


def found(properties: dict[str, Any], given: dict[str, Any], **more: Any) -> list[Argument]:
    tool = Tool(name="t", input_schema={"type": "object", "properties": properties, **more})
    return list(arguments(Call("t", given), tool))


def test_strings_and_numbers_are_found_in_their_order_with_pointer_and_innermost_name():
    properties = {"lines": {"items": {"properties": {"sku/no": ORDER}}}, "note": {}}
    given = {
        "note": "hi", "gift": True, "until": None, "price": 12.5,
        "lines": [{"sku/no": "ORD-1234", "count": 2}, {}], "tags": [["a"]],
    }  # fmt: skip
    assert found(properties, given) == [
        Argument("/note", "note", "hi", {}),
        Argument("/price", "price", 12.5, {}),
        Argument("/lines/0/sku~1no", "sku/no", "ORD-1234", ORDER),
        Argument("/lines/0/count", "count", 2, {}),
        Argument("/tags/0/0", "tags", "a", {}),
    ]


def test_a_name_the_schema_does_not_list_has_the_schema_of_the_others():
    (argument,) = found({}, {"x": "ORD-1234"}, additionalProperties=ORDER)
    assert argument.schema == ORDER


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        (ORDER, ORDER),
        ({"$ref": "#/$defs/order"}, ORDER),
        ({"$ref": "#/$defs/via"}, ORDER),
        ({"anyOf": [ORDER, NULL], "title": "T"}, {**ORDER, "title": "T"}),
        ({"oneOf": [NULL, {"$ref": "#/$defs/order"}]}, ORDER),
        ({"anyOf": [SIZE, NULL], "default": None}, {**SIZE, "default": None}),
        ({"allOf": [{"maxLength": 9}, ORDER]}, ORDER),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]},
         {"anyOf": [{"type": "string"}, {"type": "integer"}]}),
        ({"anyOf": [NULL]}, {"anyOf": [NULL]}),
        ({"$ref": "#/$defs/none"}, {}),
        ({"$ref": "https://example.com/x"}, {"$ref": "https://example.com/x"}),
    ],
)  # fmt: skip
def test_references_are_followed_and_alternatives_chosen(schema: Any, says: Any):
    root = {"$defs": {"order": ORDER, "via": {"anyOf": [{"$ref": "#/$defs/order"}, NULL]}}}
    assert resolved(schema, root) == says


@pytest.mark.parametrize(
    "loop",
    [
        {"$ref": "#/$defs/loop"},
        {"anyOf": [{"$ref": "#/$defs/loop"}]},
        {"allOf": [{"$ref": "#/$defs/loop"}, {"type": "string"}]},
    ],
)
def test_a_schema_that_refers_to_itself_comes_to_an_end(loop: dict[str, Any]):
    (argument,) = found({"a": {"$ref": "#/$defs/loop"}}, {"a": "x"}, **{"$defs": {"loop": loop}})
    assert argument.value == "x"


def test_a_reference_to_the_whole_schema_is_walked_as_deep_as_arguments_may_go():
    given: dict[str, Any] = {"b": "ORD-1234"}
    for _ in range(100):
        given = {"a": given, "b": "ORD-1234"}
    deep = found({"a": {"$ref": "#"}, "b": ORDER}, given)
    assert {argument.schema["pattern"] for argument in deep} == {ORDER["pattern"]}
    assert [argument.pointer.count("/") for argument in deep] == list(range(64, 0, -1))
