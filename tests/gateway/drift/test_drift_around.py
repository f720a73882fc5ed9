"""What a schema means depends on what stands around it: an outer union that a reference leads back
to, a branch that is about the same object, a keyword that asks what is unevaluated."""

from typing import Any

import pytest
from mcp.types import Tool

from gateway.drift import DriftGrade
from gateway.validate import ToolValidator
from tests.gateway.drift.graded import changes, grade, one

Schema = dict[str, Any]
NULL, NUMBER, FIVE = {"type": "null"}, {"type": "integer"}, {"maximum": 5}
SHORT, TEXT = {"type": "string", "maxLength": 3}, {"type": "string", "pattern": "a"}
CLOSED = {"unevaluatedProperties": False}


def ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def array(name: str) -> Schema:
    return {"type": "array", "items": ref(name)}


def defined(schema: Schema, **definitions: Schema) -> Schema:
    return one(schema, **{"$defs": definitions})


def mode(value: str, **more: Schema) -> Schema:
    """A branch for one value of the argument `mode`, which narrows what else it lists."""
    return {"properties": {"mode": {"const": value}, **more}, "required": ["mode"]}


def sending(*names: str, **root: Any) -> Schema:
    return {"type": "object", "properties": {"mode": {}, **dict.fromkeys(names, NUMBER)}, **root}


FOLDER = {"type": "object", "properties": {"sub": ref("F")}}
FOLDER_OR_NULL = {**FOLDER, "type": ["object", "null"]}
TO = {"properties": {"to": {"properties": {"n": {}, "m": {}}}}}


def chain(kinds: list[str], link: Schema) -> Schema:
    """Something that holds its like behind a keyword."""
    return defined(ref("N"), N={"type": kinds, "properties": {"n": link}})


REFUSED: list[tuple[str, Schema, Schema, Schema]] = [
    ("a union loses null beside one that has it",
     defined(ref("E"), E={"anyOf": [TEXT, array("E"), NULL]}),
     defined({"anyOf": [ref("E"), NULL]}, E={"anyOf": [TEXT, array("E")]}), {"x": [None]}),
    ("a list of types loses null beside a union",
     defined(ref("F"), F=FOLDER_OR_NULL), defined({"anyOf": [ref("F"), NULL]}, F=FOLDER),
     {"x": {"sub": None}}),
    ("a list of types loses null beside nullable",
     defined(ref("F"), F=FOLDER_OR_NULL), defined({**ref("F"), "nullable": True}, F=FOLDER),
     {"x": {"sub": None}}),
    ("a list of types in a union loses null",
     defined({"anyOf": [ref("F"), TEXT]}, F=FOLDER_OR_NULL),
     defined({"anyOf": [ref("F"), TEXT, NULL]}, F=FOLDER), {"x": {"sub": None}}),
    ("a reference leads back to an inner union, one branch twice",
     defined(ref("G"), G={"anyOf": [SHORT, ref("E")]}, E={"anyOf": [TEXT, array("G")]}),
     defined({"anyOf": [SHORT, ref("E")]},
             E={"anyOf": [TEXT, {"anyOf": [array("E"), array("E")]}]}), {"x": ["b"]}),
    ("a reference leads back to what stands around an allOf of one",
     *(defined(ref("A"), A={"required": ["k"], "allOf": [ref("B")]}, B={"properties": {"s": back}})
       for back in (ref("B"), ref("A"))), {"x": {"k": 1, "s": {}}}),
    *((f"null too, where {key} leads back",
       chain(["object"], link), chain(["object", "null"], link), {"x": {"n": value}})
      for key, link, value in (
          ("not", {"not": ref("N")}, None),
          ("if", {"if": ref("N"), "then": False}, None),
          ("oneOf", {"oneOf": [{}, ref("N")]}, None),
          ("maxContains", {"contains": ref("N"), "maxContains": 1}, [{}, None]))),
    ("a closed chain whose links are no longer open",
     *(defined(ref("N"), N={"type": "object", "properties": {"n": {**ref("N"), **CLOSED}}, **more})
       for more in ({"additionalProperties": NUMBER}, {})), {"x": {"n": {"z": 1}}}),
    ("a branch narrows what the root lists", sending("n", anyOf=[mode("a"), mode("b")]),
     sending("n", anyOf=[mode("a"), mode("b", n=FIVE)]), {"mode": "b", "n": 9}),
    ("a part narrows what the root lists", sending("n", allOf=[mode("a")]),
     sending("n", allOf=[mode("a", n=FIVE)]), {"mode": "a", "n": 9}),
    ("a part narrows what another lists", {"type": "object", "allOf": [sending("n"), mode("a")]},
     {"type": "object", "allOf": [sending("n"), mode("a", n=FIVE)]}, {"mode": "a", "n": 9}),
    ("a part narrows what another's map lets through",
     {"type": "object", "allOf": [{"additionalProperties": {}, "patternProperties": {"n": {}}},
                                  mode("a")]},
     {"type": "object", "allOf": [{"additionalProperties": {}, "patternProperties": {"n": {}}},
                                  mode("a", n=FIVE)]}, {"mode": "a", "n": 9}),
    ("a branch narrows what an argument of the root lists",
     {"type": "object", **TO, "anyOf": [{"properties": {"to": {"properties": {"m": {}}}}}, SHORT]},
     {"type": "object", **TO,
      "anyOf": [{"properties": {"to": {"properties": {"m": {}, "n": FIVE}}}}, SHORT]},
     {"to": {"n": 9}}),
    ("the root narrows what a branch lists", sending(anyOf=[mode("a", n=NUMBER), mode("b")]),
     sending(anyOf=[mode("a", n=NUMBER), mode("b")]) | {
         "properties": {"mode": {}, "n": FIVE}}, {"mode": "a", "n": 9}),
    ("the root narrows what `then` lists", sending(**{"if": mode("a"), "then": sending("n")}),
     {**sending(**{"if": mode("a"), "then": sending("n")}),
      "properties": {"mode": {}, "n": FIVE}}, {"mode": "a", "n": 9}),
    ("an object is no longer open to the unevaluated",
     one({}, additionalProperties=True, **CLOSED), one({}, **CLOSED), {"q": 1}),
    ("an array is no longer open to the unevaluated",
     one({"type": "array", "items": True, "unevaluatedItems": False}),
     one({"type": "array", "unevaluatedItems": False}), {"x": [1]}),
    ("a part no longer evaluates everything",
     one({"allOf": [{"unevaluatedProperties": True}], **CLOSED}), one({"allOf": [{}], **CLOSED}),
     {"x": {"q": 1}}),
    *((f"what is unevaluated no longer sees {key}",
       defined({**ref("T"), **CLOSED}, T={"type": "object", key: value}),
       defined({**ref("T"), **CLOSED}, T={"type": "object"}), {"x": {"a": "a"}})
      for key, value in (("patternProperties", {"a": {}}), ("additionalProperties", TEXT))),
    ("what is unevaluated no longer sees the reference",
     defined({**ref("T"), **CLOSED}, T=mode("a")),
     defined({"allOf": [ref("T"), CLOSED]}, T=mode("a")), {"x": {"mode": "a"}}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "call"), [c[1:] for c in REFUSED], ids=[c[0] for c in REFUSED]
)
def test_a_schema_that_refuses_more_for_what_stands_around_it_is_breaking(
    before: Schema, after: Schema, call: Schema
) -> None:
    was, now = (
        ToolValidator(Tool(name="it", input_schema=s)).errors(call) for s in (before, after)
    )
    assert (was, bool(now)) == ([], True)
    assert grade(before, after) == "breaking", changes(before, after)


MILD: list[tuple[str, Schema, Schema, DriftGrade]] = [
    ("an argument that is listed nowhere else", sending("n", anyOf=[mode("a"), mode("b")]),
     sending("n", anyOf=[mode("a"), mode("b", k=FIVE)]), "compatible"),
    ("null too, where `items` leads back",
     *(defined(ref("N"), N={"type": kinds, "items": ref("N")})
       for kinds in (["array", "string"], ["array", "null", "string"])), "compatible"),
    ("a folder within a folder, or null",
     defined({"anyOf": [ref("F"), NULL]}, F=FOLDER), defined({"anyOf": [NULL, ref("F")]}, F=FOLDER),
     "notation"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "expected"), [c[1:] for c in MILD], ids=[c[0] for c in MILD]
)
def test_what_stands_around_a_schema_does_not_worsen_a_mild_change(
    before: Schema, after: Schema, expected: DriftGrade
) -> None:
    assert grade(before, after) == expected, changes(before, after)
