"""BFCL's schema dialect as JSON Schema, and its names as names that every chat API takes."""

import re
from typing import Any

import pytest

from gateway.types import RESERVED_NAMES, Call
from gateway.validate import ToolValidator
from tests.training.bfcl.samples import function
from training.bfcl.dialect import DialectError, json_schema, offer


@pytest.mark.parametrize(
    ("described", "schema"),
    [
        ({"type": "float"}, {"type": "number"}),
        ({"type": "any", "description": "x"}, {"description": "x"}),
        ({"type": "tuple", "items": {"type": "float"}},
         {"type": "array", "items": {"type": "number"}}),
        ({"type": "string", "optional": True, "default": "a"}, {"type": "string", "default": "a"}),
        ({"type": "string", "enum": ["1", "a"]}, {"type": "string", "enum": ["1", "a"]}),
        ({"type": "integer", "enum": ["1", "2"]}, {"type": "integer", "enum": [1, 2]}),
        ({"type": "integer", "enum": ["1", "dontcare"]}, {"enum": [1, "dontcare"]}),
        ({"type": "boolean", "enum": ["True", "false"]},
         {"type": "boolean", "enum": [True, False]}),
        ({"type": "array", "items": {"type": "string"}, "enum": ["a", "b"]},
         {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}}),
        ({"type": "string", "format": "date"}, {"type": "string", "format": "date"}),
    ],
)  # fmt: skip
def test_types_become_those_of_json_schema(described: Any, schema: Any):
    assert json_schema(described, "x") == schema


def test_nested_descriptions_are_brought_over_all_the_way_down():
    described = {
        "type": "dict",
        "properties": {
            "at": {"type": "dict", "properties": {"x": {"type": "float"}}, "required": ["x"]},
            "list": {"type": "array", "items": {"type": "array", "items": {"type": "dict"}}},
        },
        "required": ["at"],
        "optional": ["list"],
    }
    assert json_schema(described, "f") == {
        "type": "object",
        "properties": {
            "at": {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]},
            "list": {"type": "array", "items": {"type": "array", "items": {"type": "object"}}},
        },
        "required": ["at"],
    }


@pytest.mark.parametrize(
    ("described", "message"),
    [
        (function("f", a="HashMap"), "f.a: type 'HashMap' is not one of string"),
        (function("f", a={"type": "array", "items": {"type": "long"}}), "f.a[]: type 'long'"),
        (function("f", a={"description": "no type"}), "f.a: type None"),
        (function("f", a={"type": "dict", "properties": {"b": 3}}), "f.a.b: no description"),
        ({"name": "f"}, "needs a name and parameters"),
        ({"name": "f", "parameters": {"type": "string"}}, "f: parameters must be a dict"),
    ],
)
def test_what_is_not_of_the_dialect_is_refused_with_its_place(described: Any, message: str):
    with pytest.raises(DialectError, match=re.escape(message)):
        offer([described])


def test_a_tool_keeps_description_order_and_what_is_required():
    made = offer([function("a.b", "y", x="string", y="float")])
    (tool,) = made.toolset.tools
    assert (tool.name, tool.description) == ("a_b", "Do a.b.")
    assert list(tool.input_schema["properties"]) == ["x", "y"]
    assert not ToolValidator(tool).errors({"y": 1})
    assert ToolValidator(tool).errors({"x": "1"})


def test_names_are_made_legal_unlike_each_other_and_lead_back():
    long = "very.long." + "x" * 80
    names = ["a.b", "a_b", "a-b", "a b", long, long + "y", "route", "prüfe", "検索"]
    made = offer([function(name) for name in names])
    ours = list(made.toolset.by_name)
    assert len(set(ours)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) for name in ours)
    assert not RESERVED_NAMES & set(ours)
    assert ours[:4] == ["a_b", "a_b_2", "a-b", "a_b_3"]
    assert [made.in_original(Call(name, {})).tool for name in ours] == names
    assert [made.offered_name(name) for name in names] == ours


def test_a_tool_that_is_not_on_offer_keeps_the_name_the_model_wrote():
    assert offer([function("a.b")]).in_original(Call("fly", {})) == Call("fly", {})


def test_two_functions_of_one_name_are_refused():
    with pytest.raises(DialectError, match=r"two functions are named 'a\.b'"):
        offer([function("a.b"), function("a.b")])


def test_no_functions_are_no_tools():
    assert offer([]).toolset.tools == ()
