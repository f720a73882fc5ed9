"""Checking arguments: every keyword, exact pointers."""

from typing import Any

import pytest
from mcp.types import Tool

from gateway.validate import MAX_ERRORS, ArgumentError, SchemaError, ToolValidator


def validator(schema: dict[str, Any]) -> ToolValidator:
    return ToolValidator(Tool(name="t", input_schema={"type": "object", **schema}))


def of(member: Any) -> ToolValidator:
    return validator({"properties": {"x": member}})


def pointers(found: list[ArgumentError]) -> list[str]:
    return [error.pointer for error in found]


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("email", "anna@web.de", "anna at web.de"),
        ("email", "anna@web.de", "Anna <anna@web.de>"),
        ("date", "2028-02-29", "2027-02-29"),
        ("date-time", "2027-06-14T10:00:00Z", "2027-06-14 10:00"),
        ("time", "10:00:00Z", "25:00:00Z"),
        ("duration", "P3D", "3 days"),
        ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123e4567"),
        ("uri", "https://example.com/a?b#c", "example.com/a b"),
        ("ipv4", "10.0.0.1", "10.0.0.256"),
        ("ipv6", "::1", "::g"),
        ("hostname", "example.com", "-example"),
        ("regex", "^a+$", "(a"),
        ("json-pointer", "/a/0", "a/0"),
    ],
)
def test_formats_are_asserted(name: str, good: str, bad: str):
    checked = of({"type": "string", "format": name})
    assert checked.errors({"x": good}) == []
    assert pointers(checked.errors({"x": bad})) == ["/x"]


def test_an_unknown_format_is_no_obstacle():
    assert of({"type": "string", "format": "order-number"}).errors({"x": "anything"}) == []


@pytest.mark.parametrize(
    ("schema", "good", "bad", "where"),
    [
        ({"properties": {"x": {"type": "integer"}}}, {"x": 1.0}, {"x": 1.5}, "/x"),
        ({"properties": {"x": {"type": "integer"}}}, {"x": 1}, {"x": "1"}, "/x"),
        ({"properties": {"x": {"type": "number"}}}, {"x": 1}, {"x": True}, "/x"),
        ({"required": ["x"]}, {"x": None}, {}, ""),
        ({"additionalProperties": False}, {}, {"x": 1}, ""),
        ({"properties": {"x": {"enum": [1, "a"]}}}, {"x": "a"}, {"x": "A"}, "/x"),
        ({"properties": {"x": {"const": 1}}}, {"x": 1.0}, {"x": True}, "/x"),
        ({"properties": {"x": {"pattern": "^ORD-[0-9]{4}$"}}}, {"x": "ORD-1234"},
         {"x": "ORD-12345"}, "/x"),
        ({"properties": {"x": {"pattern": "[0-9]{4}"}}}, {"x": "a1234b"}, {"x": "123"}, "/x"),
        ({"properties": {"x": {"pattern": r"^\p{Lu}\w*$"}}}, {"x": "Übung"}, {"x": "übung"}, "/x"),
        ({"properties": {"x": {"maxLength": 2}}}, {"x": "😀é"}, {"x": "abc"}, "/x"),
        ({"properties": {"straße": {"type": "string"}}}, {"straße": "東京"}, {"straße": 1},
         "/straße"),
        ({"properties": {"x": {"multipleOf": 0.01}}}, {"x": 12.34}, {"x": 12.345}, "/x"),
        ({"properties": {"x": {"maximum": 2**70}}}, {"x": 2**70}, {"x": 2**70 + 1}, "/x"),
        ({"properties": {"x": {"uniqueItems": True}}}, {"x": [1, True]}, {"x": [1, 1.0]}, "/x"),
    ],
)  # fmt: skip
def test_common_keywords(schema: dict[str, Any], good: Any, bad: Any, where: str):
    assert validator(schema).errors(good) == []
    assert pointers(validator(schema).errors(bad)) == [where]


@pytest.mark.parametrize(
    ("schema", "good", "bad", "where"),
    [
        ({"properties": {"x": {"prefixItems": [{"type": "string"}], "items": False}}},
         {"x": ["a"]}, {"x": ["a", 1]}, "/x/1"),
        ({"dependentRequired": {"a": ["b"]}}, {"a": 1, "b": 1}, {"a": 1}, ""),
        ({"dependentSchemas": {"a": {"required": ["b"]}}}, {"b": 1}, {"a": 1}, ""),
        ({"properties": {"a": {}}, "unevaluatedProperties": False}, {"a": 1}, {"b": 1}, ""),
        ({"properties": {"x": {"contains": {"const": 1}, "minContains": 2}}},
         {"x": [1, 1]}, {"x": [1]}, "/x"),
        ({"if": {"required": ["a"]}, "then": {"required": ["b"]}}, {"a": 1, "b": 1}, {"a": 1}, ""),
        ({"$dynamicAnchor": "n", "properties": {"c": {"$dynamicRef": "#n"}},
          "additionalProperties": False}, {"c": {"c": {}}}, {"c": {"d": 1}}, "/c"),
        ({"properties": {"x": {"$ref": "#/$defs/a", "maxLength": 1}},
          "$defs": {"a": {"type": "string"}}}, {"x": "a"}, {"x": "ab"}, "/x"),
        ({"properties": {"x": {"$ref": "#anchor"}}, "$defs": {"a": {"$anchor": "anchor",
          "type": "string"}}}, {"x": "a"}, {"x": 1}, "/x"),
        ({"propertyNames": {"maxLength": 1}}, {"a": 1}, {"ab": 1}, ""),
    ],
)  # fmt: skip
def test_keywords_of_2020_12(schema: dict[str, Any], good: Any, bad: Any, where: str):
    assert validator(schema).errors(good) == []
    assert pointers(validator(schema).errors(bad)) == [where]


def test_a_schema_of_draft_7_is_read_as_draft_7():
    tuples = {"properties": {"x": {"items": [{"type": "string"}], "additionalItems": False}}}
    draft7 = validator({"$schema": "http://json-schema.org/draft-07/schema#", **tuples})
    assert draft7.errors({"x": ["a"]}) == []
    assert pointers(draft7.errors({"x": ["a", 1]})) == ["/x"]
    with pytest.raises(SchemaError):
        validator(tuples)


def test_beside_a_ref_draft_7_ignores_other_keywords():
    schema = {"properties": {"x": {"$ref": "#/definitions/a", "maxLength": 1}},
              "definitions": {"a": {"type": "string"}}}  # fmt: skip
    draft7 = validator({"$schema": "http://json-schema.org/draft-07/schema#", **schema})
    assert draft7.errors({"x": "ab"}) == []
    assert pointers(validator(schema).errors({"x": "ab"})) == ["/x"]


@pytest.mark.parametrize(
    ("key", "pointer"),
    [("a", "/a"), ("a/b", "/a~1b"), ("a~b", "/a~0b"), ("~1", "/~01"), ("0", "/0"),
     ("a b%20", "/a b%20"), ("ключ", "/ключ"), ('"', '/"')],
)  # fmt: skip
def test_pointers_follow_rfc_6901(key: str, pointer: str):
    schema = {"additionalProperties": {"type": "array", "items": {"type": "string"}}}
    assert pointers(validator(schema).errors({key: ["a", 1]})) == [f"{pointer}/1"]


def test_every_violation_is_named_but_no_more_than_twenty():
    found = validator({"additionalProperties": {"type": "string"}}).errors(
        {f"k{n:02}": n for n in range(50)}
    )
    assert len(found) == len(set(found)) == MAX_ERRORS == 20


def test_a_message_stays_short_whatever_the_value():
    (error,) = of({"type": "integer"}).errors({"x": "y" * 10_000})
    assert len(error.message) == 300
    assert error.message.endswith("…")


def test_an_error_shows_itself_with_its_pointer():
    error = ArgumentError("/x", "is wrong")
    assert (str(error), error.as_dict()) == (
        "/x: is wrong",
        {"pointer": "/x", "message": "is wrong"},
    )
    assert str(ArgumentError("", "is wrong")) == "/: is wrong"


@pytest.mark.parametrize("arguments", [None, [], "text", 3, True])
def test_arguments_that_are_no_object_break_the_schema(arguments: Any):
    assert pointers(validator({}).errors(arguments)) == [""]


@pytest.mark.parametrize("arguments", [{"x": "\ud800"}, {"\udfff": 1}, {"y": [{"z": "a\ud83d"}]}])
def test_half_a_surrogate_pair_is_refused_and_does_not_raise(arguments: Any):
    (error,) = validator({"properties": {"x": {"type": "string"}}}).errors(arguments)
    assert "Unicode" in error.message


def test_arguments_are_never_changed_and_defaults_never_filled_in():
    arguments: dict[str, Any] = {}
    assert of({"type": "string", "default": "a"}).errors(arguments) == []
    assert arguments == {}
