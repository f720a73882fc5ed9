"""The answer schema: a real JSON Schema that accepts what training targets say."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import llguidance
import pytest
from mcp.types import Tool

from gateway.grammar import MAX_CALLS, answer_schema, parse_answer
from gateway.prompt import render_answer
from gateway.types import Toolset
from tests.adapters import support_toolset
from training.rows import read_rows

ROWS = Path(__file__).parents[2] / "training" / "data" / "support"
TRACK = {"tool": "track_order", "arguments": {"order_id": "ORD-1234"}}


def toolset(*schemas: dict[str, Any]) -> Toolset:
    return Toolset(
        "t",
        tuple(
            Tool(name=f"tool_{index}", input_schema={"type": "object", **schema})
            for index, schema in enumerate(schemas)
        ),
    )


def accepts(schema: dict[str, Any], arguments: Any) -> bool:
    answer = {"tool": "tool_0", "arguments": arguments}
    return jsonschema_rs.validator_for(answer_schema(toolset(schema))).is_valid(answer)


RECURSIVE = {
    "properties": {"root": {"$ref": "#/$defs/node"}},
    "required": ["root"],
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "v": {"type": "integer"},
                "kids": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            },
            "required": ["v"],
        }
    },
}

ACCEPTED: list[tuple[dict[str, Any], Any]] = [
    ({}, {}),
    ({}, {"anything": [1]}),
    ({"properties": {}}, {"anything": 1}),
    ({"properties": {"a": True}}, {"a": [None]}),
    ({"properties": {"a": {"type": ["string", "null"]}}}, {"a": None}),
    ({"properties": {"a": {"const": None}}}, {"a": None}),
    ({"properties": {"a": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}}, {"a": None}),
    ({"properties": {"a": {"oneOf": [{"const": 1}, {"type": "string"}]}}}, {"a": "x"}),
    (RECURSIVE, {"root": {"v": 1, "kids": [{"v": 2, "kids": [{"v": 3}]}]}}),
    ({"properties": {"child": {"$ref": "#"}}}, {"child": {"child": {}}}),
    ({"properties": {"a": {"type": "integer"}, "b": {"$ref": "#/properties/a"}}}, {"b": 1}),
    ({"$schema": "http://json-schema.org/draft-07/schema#",
      "properties": {"a": {"$ref": "#/definitions/q"}},
      "definitions": {"q": {"type": "string"}}}, {"a": "x"}),
    ({"$schema": "http://json-schema.org/draft-04/schema#",
      "properties": {"a": {"type": "number", "minimum": 0, "exclusiveMinimum": True}}}, {"a": 1}),
    ({"properties": {"a": {"$ref": "#/$defs/Map%3CString%3E"}},
      "$defs": {"Map<String>": {"type": "string"}}}, {"a": "x"}),
    ({"properties": {"a": {"$ref": "#/$defs/a~1b"}}, "$defs": {"a/b": {}}}, {"a": 1}),
    ({"properties": {"a": {"$ref": "https://example.com/x"}}}, {"a": 1}),
    ({"properties": {"a": {"type": "string", "pattern": "^(?!x)b$"}}}, {"a": "b"}),
    ({"properties": {"a": {"type": "string", "pattern": r"^(.)\1$"}}}, {"a": "bb"}),
    ({"properties": {"a": {"type": "string", "pattern": r"\bword\b"}}}, {"a": "a word"}),
    ({"properties": {"a": {"type": "array", "prefixItems": [{"type": "string"}],
                           "items": False}}}, {"a": ["b"]}),
    ({"patternProperties": {"^x-": {}}, "additionalProperties": False}, {"x-a": 1}),
    ({"properties": {"a": {}}, "required": ["a", "b"]}, {"a": 1, "b": 2}),
    ({"properties": {"a": {}}, "anyOf": [{"required": ["a"]},
      {"properties": {"b": {}}, "required": ["b"]}]}, {"b": 1}),
    ({"properties": {"a": {}}, "allOf": [{"properties": {"b": {}}}]}, {"a": 1, "b": 1}),
    ({"properties": {"a": {}}, "additionalProperties": {"type": "integer"}}, {"a": "x", "q": 3}),
    ({"properties": {"größe ✓": {"enum": ["ü", 1.5]}}}, {"größe ✓": "ü"}),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "arguments"), ACCEPTED)
def test_valid_arguments_are_in_the_language(schema: dict[str, Any], arguments: Any):
    assert jsonschema_rs.validator_for({"type": "object", **schema}, retriever=lambda uri: {}
                                       ).is_valid(arguments)  # fmt: skip
    assert accepts(schema, arguments)


@pytest.mark.parametrize("schema", [schema for schema, _ in ACCEPTED])
def test_the_answer_schema_is_a_schema_and_compiles_to_a_grammar(schema: dict[str, Any]):
    made = answer_schema(toolset(schema, {"properties": {"a": {"type": "string"}}}))
    jsonschema_rs.meta.validate(made)
    grammar = llguidance.LLMatcher.grammar_from_json_schema(json.dumps(made))
    assert llguidance.LLMatcher.validate_grammar(grammar) == ""


@pytest.mark.parametrize(
    ("schema", "arguments"),
    [
        ({"properties": {"a": {"type": "integer"}}}, {"a": "1"}),
        ({"properties": {"a": {"enum": ["x"]}}}, {"a": "y"}),
        ({"properties": {"a": {"type": "string", "pattern": "^ORD-[0-9]{4}$"}}}, {"a": "ORD-12"}),
        ({"properties": {"a": {}}, "required": ["a"]}, {}),
        ({"properties": {"a": {}}}, {"invented": 1}),
        ({"properties": {"a": {}}, "additionalProperties": False}, {"b": 1}),
        ({"properties": {"a": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}}, {"a": "x"}),
        ({"properties": {"a": {"type": "array", "items": {"type": "integer"}}}}, {"a": ["x"]}),
        (RECURSIVE, {"root": {"v": 1, "kids": [{"v": "2"}]}}),
        (RECURSIVE, {}),
    ],
)
def test_what_the_grammar_can_carry_it_excludes(schema: dict[str, Any], arguments: Any):
    assert not accepts(schema, arguments)


def test_tools_do_not_share_definitions_of_one_name():
    both = toolset(
        {"properties": {"a": {"$ref": "#/$defs/d"}}, "$defs": {"d": {"type": "string"}}},
        {"properties": {"a": {"$ref": "#/$defs/d"}}, "$defs": {"d": {"type": "integer"}}},
    )
    language = jsonschema_rs.validator_for(answer_schema(both))
    assert language.is_valid({"tool": "tool_0", "arguments": {"a": "x"}})
    assert language.is_valid({"tool": "tool_1", "arguments": {"a": 1}})
    assert not language.is_valid({"tool": "tool_1", "arguments": {"a": "x"}})


@pytest.mark.parametrize(
    ("answer", "accepted"),
    [
        (TRACK, True),
        ({"tool": "no_tool", "reason": "chat"}, True),
        ({"tool": "no_tool", "reason": ""}, True),
        ({"tool": "no_tool", "reason": "x" * 201}, False),
        ({"tool": "no_tool"}, False),
        ({"tool": "drop_tables", "arguments": {}}, False),
        ({"tool": "track_order", "arguments": {"order_id": "1234"}}, False),
        ({"tool": "escalate", "arguments": TRACK["arguments"]}, False),
        (TRACK | {"reason": "x"}, False),
        ({"calls": [TRACK, TRACK]}, True),
        ({"calls": [TRACK]}, False),
        ({"calls": [TRACK] * MAX_CALLS}, True),
        ({"calls": [TRACK] * (MAX_CALLS + 1)}, False),
        ({"calls": [TRACK, {"tool": "no_tool", "reason": "x"}]}, False),
        ([TRACK], False),
        ("no_tool", False),
    ],
)
def test_the_language_of_answers_to_the_order_desk(answer: Any, accepted: bool):
    language = jsonschema_rs.validator_for(answer_schema(support_toolset()))
    assert language.is_valid(answer) is accepted


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_every_training_target_is_in_the_language_and_reads_back(split: str):
    desk = support_toolset()
    language = jsonschema_rs.validator_for(answer_schema(desk))
    for row in read_rows(ROWS / split, desk):
        text = render_answer(row.target, desk)
        assert language.is_valid(json.loads(text)), text
        route = parse_answer(text)
        assert (route.calls, route.error) == (row.calls, None)
        if not row.calls:
            assert route.reason == row.target["reason"]
