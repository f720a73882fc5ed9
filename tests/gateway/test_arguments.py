"""The walk over a call's arguments: what it finds, and what the schema says of each."""

from typing import Any

import pytest
from mcp.types import Tool

from gateway.arguments import Argument, arguments, resolved
from gateway.types import Call
from gateway.validate import ToolValidator

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


ID = {"type": "object", "properties": {"id": ORDER}}
KIND: dict[str, Any] = {"oneOf": [
    {"properties": {"kind": {"const": "customer"}, "name": {"type": "string"}}},
    {"properties": {"kind": {"const": "order"}, "id": ORDER}},
]}  # fmt: skip
MANY = {"type": "array", "items": ORDER}
DRAFT_7 = {"$schema": "http://json-schema.org/draft-07/schema#"}


@pytest.mark.parametrize(
    ("schema", "given"),
    [
        (KIND, {"kind": "order", "id": "ORD-1234"}),
        ({"properties": {"x": KIND}}, {"x": {"kind": "order", "id": "ORD-1234"}}),
        ({"properties": {"x": {"anyOf": [MANY, ORDER]}}}, {"x": "ORD-1234"}),
        ({"properties": {"x": {"anyOf": [ORDER, MANY]}}}, {"x": ["ORD-1234"]}),
        ({**ID, "oneOf": [{"properties": {"a": {}}, "required": ["a"]}, {"required": ["b"]}]},
         {"b": 1, "id": "ORD-1234"}),
        ({**ID, "anyOf": [{"required": ["id"]}, {"required": ["email"]}]}, {"id": "ORD-1234"}),
        ({**ID, "allOf": [{"$ref": "#/$defs/base"}]}, {"id": "ORD-1234"}),
        ({"allOf": [{"$ref": "#/$defs/base"}, ID]}, {"note": "hi", "id": "ORD-1234"}),
        ({"properties": {"x": {"allOf": [{"minLength": 1}, ORDER]}}}, {"x": "ORD-1234"}),
        ({"properties": {"x": {"$ref": "#/$defs/text", "pattern": ORDER["pattern"]}}},
         {"x": "ORD-1234"}),
        ({"properties": {"x": {"$ref": "#order"}}}, {"x": "ORD-1234"}),
        ({"properties": {"x": {"prefixItems": [{}, ORDER]}}}, {"x": [1, "ORD-1234"]}),
        ({"properties": {"x": {"prefixItems": [{}], "items": ORDER}}}, {"x": [1, "ORD-1234"]}),
        ({**DRAFT_7, "properties": {"x": {"items": [{}, ORDER]}}}, {"x": [1, "ORD-1234"]}),
        ({**DRAFT_7, "properties": {"x": {"items": [{}], "additionalItems": ORDER}}},
         {"x": [1, "ORD-1234"]}),
        ({"patternProperties": {"^id": ORDER}}, {"id2": "ORD-1234"}),
        ({"propertyNames": ORDER}, {"ORD-1234": 2}),
        ({"if": {"required": ["a"]}, "then": ID}, {"a": 1, "id": "ORD-1234"}),
        ({"if": {"required": ["a"]}, "else": ID}, {"id": "ORD-1234"}),
        ({"dependentSchemas": {"a": ID}}, {"a": 1, "id": "ORD-1234"}),
    ],
)  # fmt: skip
def test_an_identifier_is_found_wherever_the_schema_may_say_it_is_one(schema: Any, given: Any):
    base = {"properties": {"note": {"type": "string"}}}
    more = {"base": base, "text": {"type": "string"}, "named": {"$anchor": "order", **ORDER}}
    tool = Tool(name="t", input_schema={"type": "object", "$defs": more, **schema})
    assert ToolValidator(tool).errors(given) == []
    read = {one.value: one.schema.get("pattern") for one in arguments(Call("t", given), tool)}
    assert read["ORD-1234"] == ORDER["pattern"]


DAY = {"type": "string", "format": "date"}
MAIL = {"type": "string", "format": "email"}


@pytest.mark.parametrize(
    ("choice", "value", "says"),
    [
        ([{"const": "all"}, ORDER], "all", {"const": "all"}),
        ([{"const": "all"}, ORDER], "ORD-1234", ORDER),
        ([{"enum": ["today"]}, DAY], "today", {"enum": ["today"]}),
        ([{"enum": ["today"]}, DAY], "2027-06-14", DAY),
        ([MAIL, ORDER], "ORD-1234", ORDER),
        ([MAIL, ORDER], "a@web.de", MAIL),
        ([{"type": "string", "format": "date-time"}, DAY], "2027-06-14", DAY),
        ([{"type": "integer"}, ORDER], 1234, {"type": "integer"}),
        ([{"type": "string"}, ORDER], "any words", {"type": "string"}),
        ([{"pattern": "("}, DAY], "ORD-1234", {"pattern": "("}),
        ([{"pattern": "^(?!x)(a+)+$"}, DAY], "2027-06-14", DAY),
    ],
)
def test_of_what_may_be_said_counts_what_allows_the_value(choice: Any, value: Any, says: Any):
    (argument,) = found({"x": {"anyOf": choice}}, {"x": value})
    assert {"anyOf": choice, **argument.schema} == {"anyOf": choice, **says}


@pytest.mark.parametrize("value", ["\ud800", 10**400, float("inf"), float("nan")])
def test_a_value_that_no_validator_can_read_is_an_argument_still(value: Any):
    (argument,) = found({"x": {"anyOf": [ORDER, {"type": "number"}]}}, {"x": value})
    assert argument.value is value


@pytest.mark.parametrize(
    ("schema", "defs"),
    [
        ({"anyOf": [{"$ref": f"#/$defs/{n}"} for n in range(50)]},
         {str(n): {"anyOf": [{"$ref": f"#/$defs/{m}"} for m in range(50)]} for n in range(50)}),
        ({"anyOf": [{"minLength": n} for n in range(50_000)]}, {}),
        ({"pattern": "^(?=a)(a+)+$"}, {}),
    ],
)  # fmt: skip
def test_a_hostile_schema_is_walked_in_bounded_steps(schema: Any, defs: Any):
    given = {"x": ["a" * 100 + "!"] * 20}
    assert len(found({"x": {"items": schema}}, given, **{"$defs": defs})) == 20


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
