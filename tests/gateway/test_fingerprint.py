"""Content hashes: what they cover, what they ignore."""

import hashlib
import json
from typing import Any

import pytest
from mcp.types import Tool, ToolAnnotations

from gateway.fingerprint import (
    canonical,
    content_key,
    digest,
    tool_fingerprint,
    toolset_fingerprint,
)

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "string"}, "b": {"type": "integer", "enum": [1, 2]}},
    "required": ["a"],
}


def tool(**changes: Any) -> Tool:
    value: dict[str, Any] = {"name": "t", "description": "d", "input_schema": SCHEMA}
    return Tool(**(value | changes))


def test_canonical_form_is_that_of_the_rfc():
    value = {"€": "Euro", "\r": "CR", "1": "One", "😀": "Emoji", "\ufb33": "Hebrew"}
    expected = '{"\\r":"CR","1":"One","€":"Euro","😀":"Emoji","\ufb33":"Hebrew"}'
    assert canonical(value) == expected.encode()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.0, b"1"),
        (-0.0, b"0"),
        (1e21, b"1e+21"),
        (0.000001, b"0.000001"),
        ([True, None, "ä"], '[true,null,"ä"]'.encode()),
        (2**60, b"1152921504606846976"),
        ("\ud800", b'"\\ud800"'),
    ],
)
def test_every_json_value_has_a_canonical_form(value: Any, expected: bytes):
    assert canonical(value) == expected


def test_a_tools_fingerprint_is_the_hash_of_name_description_and_input_schema():
    plain = Tool(name="t", description="d", input_schema={"type": "object"})
    text = b'{"description":"d","inputSchema":{"type":"object"},"name":"t"}'
    assert tool_fingerprint(plain) == hashlib.sha256(text).hexdigest()


def test_an_absent_description_is_left_out_of_the_hash():
    text = b'{"inputSchema":{"type":"object"},"name":"t"}'
    absent = tool_fingerprint(Tool(name="t", input_schema={"type": "object"}))
    assert absent == hashlib.sha256(text).hexdigest()
    assert absent != tool_fingerprint(
        Tool(name="t", description="", input_schema={"type": "object"})
    )


def test_the_order_of_keys_does_not_change_a_fingerprint():
    turned = dict(reversed(SCHEMA.items())) | {
        "properties": dict(reversed(SCHEMA["properties"].items()))
    }
    assert list(turned) != list(SCHEMA)
    assert tool_fingerprint(tool(input_schema=turned)) == tool_fingerprint(tool())


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "T"},
        {"description": "d "},
        {"description": None},
        {"input_schema": SCHEMA | {"required": []}},
        {"input_schema": SCHEMA | {"x-unknown": 1}},
        {"input_schema": SCHEMA | {"properties": {"a": {"type": "string"}}}},
        {
            "input_schema": SCHEMA
            | {"properties": SCHEMA["properties"] | {"b": {"type": "integer", "enum": [2, 1]}}}
        },
    ],
)
def test_whatever_a_model_can_learn_from_changes_the_fingerprint(changes: dict[str, Any]):
    assert tool_fingerprint(tool(**changes)) != tool_fingerprint(tool())


def test_title_annotations_and_output_schema_do_not_enter_the_fingerprint():
    dressed = tool(
        title="T",
        annotations=ToolAnnotations(read_only_hint=True),
        output_schema={"type": "object"},
    )
    assert tool_fingerprint(dressed) == tool_fingerprint(tool())


def test_a_toolsets_fingerprint_ignores_the_order_but_not_the_names():
    assert toolset_fingerprint({"a": "1", "b": "2"}) == toolset_fingerprint({"b": "2", "a": "1"})
    assert toolset_fingerprint({"a": "1", "b": "2"}) != toolset_fingerprint({"a": "2", "b": "1"})
    assert toolset_fingerprint({"a": "1"}) == digest({"a": "1"})


def test_the_key_of_a_content_is_the_same_for_equal_copies_alone():
    one = tool(input_schema={"type": "object", "required": ["a"], "maxProperties": 1})
    copies = [Tool.model_validate(json.loads(one.model_dump_json(by_alias=True))) for _ in "ab"]
    assert content_key(copies) == content_key([one, one])
    assert content_key([one]) != content_key([one, one])
    others = [{"maxProperties": True}, {"maxProperties": 1.0}, {"required": ["b"]}]
    schemas = [{**one.input_schema, **other} for other in others]
    keys = {content_key([tool(input_schema=schema)]) for schema in schemas}
    assert len(keys | {content_key([one])}) == len(others) + 1
