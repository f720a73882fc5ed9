"""What a schema or a call cannot do to the gateway: fetch, crash, or take forever."""

import json
import subprocess
import sys
from typing import Any

import pytest
from mcp.types import Tool

from gateway.validate import MAX_SCHEMA_BYTES, SchemaError, ToolValidator

GUARD_S = 30


def validator(schema: dict[str, Any]) -> ToolValidator:
    return ToolValidator(Tool(name="t", input_schema={"type": "object", **schema}))


def nested(levels: int, key: str = "c", leaf: Any = 3) -> Any:
    value = leaf
    for _ in range(levels):
        value = {key: value}
    return value


def checked_apart(schema: dict[str, Any], arguments: Any) -> list[str]:
    """Pointers found by a process of its own, killed if it hangs; a crash fails the test."""
    program = (
        "import json, sys; from mcp.types import Tool; from gateway.validate import ToolValidator\n"
        "schema, arguments = json.load(sys.stdin)\n"
        "found = ToolValidator(Tool(name='t', input_schema=schema)).errors(arguments)\n"
        "print(json.dumps([error.pointer for error in found]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps([{"type": "object", **schema}, arguments]),
        capture_output=True, text=True, timeout=GUARD_S, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "reference",
    [
        "https://example.com/x.json",
        "http://127.0.0.1:9/x.json",
        "file:///etc/passwd",
        "other.json",
        "urn:example:x",
        "#/$defs/none",
        "#none",
    ],
)
def test_a_ref_to_anything_outside_the_schema_is_refused(reference: str):
    with pytest.raises(SchemaError):
        validator({"properties": {"x": {"$ref": reference}}})


def test_a_ref_that_would_be_fetched_is_named_in_the_refusal():
    with pytest.raises(SchemaError, match=r"https://example\.com/x\.json"):
        validator({"properties": {"x": {"$ref": "https://example.com/x.json"}}})


def test_a_schemas_own_id_may_look_like_an_address():
    schema = {"$id": "https://example.com/t", "properties": {"x": {"$ref": "/d"}},
              "$defs": {"d": {"$id": "/d", "type": "string"}}}  # fmt: skip
    assert [e.pointer for e in validator(schema).errors({"x": 1})] == ["/x"]


@pytest.mark.parametrize(
    "schema",
    [
        {"$schema": "https://example.com/dialect"},
        {"$schema": "nonsense"},
        {"properties": []},
        {"required": "x"},
        {"properties": {"x": {"type": "text"}}},
        {"properties": {"x": {"minLength": -1}}},
        {"properties": {"x": {"pattern": "("}}},
        {"properties": {"x": {"pattern": "(?=("}}},
        {"properties": {"x": {"pattern": "^(a{1000}){1000}$"}}},
        {"properties": {"x": {"pattern": "^(?!x)(a{1000}){1000}$"}}},
        {"properties": {"x": {"enum": ["\ud800"]}}},
        {"properties": {"x": {"maximum": float("inf")}}},
        {"type": ["object"]},
        {"type": "array"},
        {"type": None},
    ],
)
def test_what_is_no_usable_schema_is_refused_with_a_reason(schema: dict[str, Any]):
    with pytest.raises(SchemaError, match="input schema"):
        validator(schema)


def test_a_schema_that_refers_to_itself_checks_deep_arguments():
    tree = {"properties": {"c": {"$ref": "#"}, "v": {"type": "integer"}}}
    assert validator(tree).errors(nested(62, leaf={"v": 1})) == []
    (error,) = validator(tree).errors(nested(62, leaf={"v": "1"}))
    assert error.pointer == "/c" * 62 + "/v"


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"$ref": "#"}, []),
        ({"allOf": [{"$ref": "#"}]}, []),
        ({"properties": {"a": {"$ref": "#/$defs/x"}},
          "$defs": {"x": {"$ref": "#/$defs/y"}, "y": {"$ref": "#/$defs/x"}}}, []),
        ({"not": {"$ref": "#"}}, [""]),
    ],
)  # fmt: skip
def test_a_ref_that_leads_back_to_itself_at_once_ends(schema: dict[str, Any], expected: list[str]):
    assert checked_apart(schema, {"a": 1}) == expected


@pytest.mark.parametrize(("levels", "fits"), [(64, True), (65, False), (100_000, False)])
def test_arguments_deeper_than_64_levels_are_refused(levels: int, fits: bool):
    found = [str(error) for error in validator({}).errors(nested(levels))]
    assert found == ([] if fits else ["/: nested deeper than 64 levels"])


def test_arguments_that_contain_themselves_are_refused():
    loop: dict[str, Any] = {}
    loop["c"] = loop
    assert len(validator({}).errors(loop)) == 1


@pytest.mark.parametrize("levels", [200, 5_000, 50_000])
def test_a_schema_of_200_and_more_levels_is_refused_and_does_not_overflow(levels: int):
    with pytest.raises(SchemaError, match="deeper than 200"):
        validator(nested(levels, "not", {}))


def test_a_schema_of_199_levels_is_used():
    schema = nested(198, "not", {"type": "string"})
    # An even number of negations: the value must be a string, and an object is none.
    assert checked_apart(schema, {}) == [""]
    assert checked_apart(nested(197, "not", {"type": "string"}), {}) == []


def test_a_schema_just_under_a_megabyte_is_used_and_a_larger_one_is_not():
    room = MAX_SCHEMA_BYTES - len(json.dumps({"type": "object", "description": ""}))
    assert validator({"description": "x" * room}).errors({}) == []
    with pytest.raises(SchemaError, match="larger than 1048576 bytes"):
        validator({"description": "x" * (room + 1)})


def test_a_megabyte_of_properties_checks_the_last_of_them():
    schema = {"properties": {f"member_{n:05}": {"type": "string"} for n in range(25_000)}}
    assert checked_apart(schema, {"member_24999": 1}) == ["/member_24999"]


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ("^(a+)+$", "a" * 100_000 + "!"),
        ("^(a|a)*$", "a" * 100_000 + "!"),
        (r"^(\w+\s?)*$", "word " * 20_000 + "!"),
        ("(x+x+)+y", "x" * 100_000),
        ("^(?=(a+)+$)b", "a" * 100_000 + "!"),
        (r"^(?:(a+)+(?!x))+\1$", "a" * 40 + "!"),
        (r"^(a|aa)+(?=b)\1$", "a" * 400 + "!"),
        ("(?:(?:(?:x*)*)*)*(?=y)z", "x" * 100_000),
    ],
)
def test_a_catastrophic_pattern_ends_and_refuses(pattern: str, value: str):
    schema = {"properties": {"x": {"type": "string", "pattern": pattern}}}
    assert checked_apart(schema, {"x": value}) == ["/x"]


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (r"^(?!.*\.\.)[a-z.]+$", "a.b", "a..b"),
        (r"^(?=.*[0-9]).{3,}$", "ab1", "abc"),
        (r"(?<=#)[0-9]+", "#12", "12"),
        (r"^(['\"]).*\1$", "'a'", "'a\""),
    ],
)
def test_look_around_and_back_references_do_not_make_a_tool_unusable(
    pattern: str, good: str, bad: str
):
    checked = validator({"properties": {"x": {"type": "string", "pattern": pattern}}})
    assert checked.errors({"x": good}) == []
    assert [error.pointer for error in checked.errors({"x": bad})] == ["/x"]


def test_look_around_in_pattern_properties_is_used_too():
    checked = validator({"patternProperties": {"^(?!x-)": {"type": "integer"}}})
    assert [e.pointer for e in checked.errors({"a": "1", "x-a": "1"})] == ["/a"]
