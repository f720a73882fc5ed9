"""Two spellings of one meaning are notation; two meanings in like spellings are not."""

from typing import Any

import pytest

from gateway.drift import Change, DriftGrade
from tests.gateway.drift.graded import DRAFT_7, changes, grade, one

LATEST = "https://json-schema.org/draft/2020-12/schema"
CAT = {"type": "object", "properties": {"kind": {"const": "cat"}}, "required": ["kind"]}
DOG = {"type": "object", "properties": {"kind": {"const": "dog"}}, "required": ["kind"]}
TREE = {"type": "object", "properties": {"left": {"$ref": "#/$defs/Tree"}}}
PLANT = {"type": "object", "properties": {"left": {"$ref": "#/definitions/Plant"}}}


def depending(least: int, **root: Any) -> dict[str, Any]:
    """A schema that asks for more where `x` is sent, behind a reference."""
    more = {"definitions": {"More": {"minProperties": least}}}
    return one({}, dependencies={"x": {"$ref": "#/definitions/More"}}, **more, **root)


SAME: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("a reference with its own description",
     one({"$ref": "#/$defs/C", "description": "D"},
         **{"$defs": {"C": {"enum": ["a"], "title": "C"}}}),
     one({"enum": ["a"], "description": "D"})),
    ("a reference in allOf",
     one({"allOf": [{"$ref": "#/$defs/C"}], "default": "a"}, **{"$defs": {"C": {"enum": ["a"]}}}),
     one({"const": "a", "default": "a"})),
    ("a reference through a reference",
     one({"$ref": "#/$defs/A"}, **{"$defs": {"A": {"$ref": "#/$defs/B"}, "B": {"type": "null"}}}),
     one({"type": "null"})),
    ("a name of a definition that leads back",
     one({"$ref": "#/$defs/Tree"}, **{"$defs": {"Tree": TREE}}),
     one({"$ref": "#/definitions/Plant"}, definitions={"Plant": PLANT})),
    ("null as a type, a branch",
     one({"type": ["string", "null"], "maxLength": 3}),
     one({"anyOf": [{"type": "null"}, {"type": "string", "maxLength": 3}]})),
    ("null as a branch, nullable",
     one({"anyOf": [{"type": "integer"}, {"type": "null"}], "description": "D"}),
     one({"type": "integer", "nullable": True, "description": "D"})),
    ("a nullable reference",
     one({"anyOf": [{"$ref": "#/$defs/C"}, {"type": "null"}]}, **{"$defs": {"C": {"enum": ["a"]}}}),
     one({"$ref": "#/$defs/C", "nullable": True}, **{"$defs": {"C": {"enum": ["a"]}}})),
    ("a nullable reference in allOf",
     one({"anyOf": [{"$ref": "#/$defs/C"}, {"type": "null"}]}, **{"$defs": {"C": CAT}}),
     one({"allOf": [{"$ref": "#/$defs/C"}], "nullable": True}, **{"$defs": {"C": CAT}})),
    ("a nullable reference that leads back",
     one({"anyOf": [{"$ref": "#/$defs/Tree"}, {"type": "null"}]}, **{"$defs": {"Tree": TREE}}),
     one({"$ref": "#/$defs/Tree", "nullable": True}, **{"$defs": {"Tree": TREE}})),
    ("what stands beside a reference, in allOf",
     one({"$ref": "#/$defs/Tree", "required": ["left"]}, **{"$defs": {"Tree": TREE}}),
     one({"allOf": [{"$ref": "#/$defs/Tree"}, {"required": ["left"]}]},
         **{"$defs": {"Tree": TREE}})),
    ("what looks at all of a reference, around it",
     one({"$ref": "#/$defs/C", "unevaluatedProperties": False}, **{"$defs": {"C": CAT}}),
     one({"allOf": [{"$ref": "#/$defs/C"}], "unevaluatedProperties": False},
         **{"$defs": {"C": CAT}})),
    ("names that are texts", one({"type": "object", "additionalProperties": CAT}),
     one({"type": "object", "additionalProperties": CAT, "propertyNames": {"type": "string"}})),
    ("a nullable enum",
     one({"anyOf": [{"type": "string", "enum": ["a", "b"]}, {"type": "null"}]}),
     one({"type": "string", "enum": ["a", "b"], "nullable": True})),
    ("a nullable enum with null",
     one({"enum": ["a", None]}),
     one({"type": ["null", "string"], "enum": [None, "a"]})),
    ("branches in another order",
     one({"anyOf": [{"type": "string", "pattern": "a"}, {"type": "string", "maxLength": 2}]}),
     one({"anyOf": [{"type": "string", "maxLength": 2}, {"type": "string", "pattern": "a"}]})),
    ("a union within a union",
     one({"anyOf": [{"anyOf": [{"type": "string"}, {"type": "integer"}]}, {"type": "null"}]}),
     one({"type": ["integer", "null", "string"]})),
    ("one of branches that exclude each other",
     one({"oneOf": [CAT, DOG]}), one({"anyOf": [DOG, CAT]})),
    ("integers above 0, from 1", one({"type": "integer", "exclusiveMinimum": 0}),
     one({"type": "integer", "minimum": 1})),
    ("a number and an integer", one({"type": ["number", "integer"]}), one({"type": "number"})),
    ("both booleans", one({"type": "boolean"}), one({"enum": [True, False]})),
    ("a const with its type", one({"const": 1}), one({"type": "integer", "enum": [1.0]})),
    ("a value that its type excludes", one({"type": "string", "enum": ["a", 1]}),
     one({"type": "string", "enum": ["a"]})),
    ("true and the empty schema", one(True), one({})),
    ("what an array's keyword says of a text", one({"type": "string"}),
     one({"type": "string", "maxItems": 2})),
    ("items as a list in draft-07",
     one({"type": "array", "items": [{"type": "string"}], "additionalItems": False},
         **{"$schema": DRAFT_7}),
     one({"type": "array", "prefixItems": [{"type": "string"}], "items": False})),
    ("what draft-07 ignores beside a reference",
     one({"$ref": "#/definitions/C", "maxLength": 1}, definitions={"C": {"type": "string"}},
         **{"$schema": DRAFT_7}),
     one({"type": "string"}, **{"$schema": DRAFT_7})),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after"), [c[1:] for c in SAME], ids=[c[0] for c in SAME])
def test_one_meaning_in_two_spellings_is_notation(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    assert grade(before, after) == "notation", changes(before, after)
    assert grade(after, before) == "notation", changes(after, before)


OTHER: list[tuple[str, dict[str, Any], dict[str, Any], DriftGrade, DriftGrade]] = [
    ("what a reference refers to",
     one({"$ref": "#/$defs/C"}, **{"$defs": {"C": {"enum": ["a"]}}}),
     one({"$ref": "#/$defs/C"}, **{"$defs": {"C": {"enum": ["a", "b"]}}}),
     "compatible", "breaking"),
    ("a text that a reference's own covers",
     one({"$ref": "#/$defs/C", "description": "D"},
         **{"$defs": {"C": {"type": "null", "description": "E"}}}),
     one({"$ref": "#/$defs/C", "description": "D"},
         **{"$defs": {"C": {"type": "null", "description": "F"}}}), "description", "description"),
    ("what a reference that leads back leads back to",
     one({"$ref": "#/$defs/Tree"}, **{"$defs": {"Tree": TREE}}),
     one({"$ref": "#/$defs/Tree"}, **{"$defs": {"Tree": {**TREE, "required": ["left"]}}}),
     "breaking", "compatible"),
    ("where a reference leads back to",
     one({"$ref": "#/$defs/A"}, **{"$defs": {
         "A": {"anyOf": [{"$ref": "#/$defs/B"}, {"type": "string", "pattern": "a"}]},
         "B": {"type": "object", "properties": {"x": {"$ref": "#/$defs/A"}}, "not": {}}}}),
     one({"$ref": "#/$defs/A"}, **{"$defs": {
         "A": {"anyOf": [{"$ref": "#/$defs/B"}, {"type": "string", "pattern": "a"}]},
         "B": {"type": "object", "properties": {"x": {"$ref": "#/$defs/B"}}, "not": {}}}}),
     "breaking", "breaking"),
    ("a narrower target beside a reference that leads back",
     one({"$ref": "#/$defs/Tree", "required": ["left"]}, **{"$defs": {"Tree": TREE}}),
     one({"$ref": "#/$defs/Tree"}, **{"$defs": {"Tree": {**TREE, "required": ["left"]}}}),
     "breaking", "breaking"),
    ("one branch more", one({"anyOf": [{"type": "string", "pattern": "a"}, {"type": "null"}]}),
     one({"anyOf": [{"type": "string", "pattern": "a"}, {"type": "string", "pattern": "b"},
                    {"type": "null"}]}), "compatible", "breaking"),
    ("a wider branch", one({"anyOf": [CAT, {"type": "string", "maxLength": 2}]}),
     one({"anyOf": [CAT, {"type": "string", "maxLength": 3}]}), "compatible", "breaking"),
    ("a union for a type", one({"type": "string"}),
     one({"anyOf": [{"type": "string", "pattern": "a"}, {"type": "string"}]}),
     "notation", "notation"),
    ("a branch's description",
     one({"oneOf": [{"required": ["a"], "description": "D"}, {"required": ["b"]}]}),
     one({"oneOf": [{"required": ["a"], "description": "E"}, {"required": ["b"]}]}),
     "description", "description"),
    ("one of branches that overlap", one({"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}),
     one({"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}), "breaking", "breaking"),
    ("values for a pattern", one({"enum": ["ab", "cd"]}),
     one({"type": "string", "pattern": "^[a-z]+$"}), "compatible", "breaking"),
    ("values for a pattern that excludes one", one({"enum": ["ab", "c4"]}),
     one({"type": "string", "pattern": "^[a-z]+$"}), "breaking", "breaking"),
    ("an argument that a map's schema allows",
     one({"type": "object", "additionalProperties": {"type": "integer"}}),
     one({"type": "object", "additionalProperties": {"type": "integer"},
          "properties": {"a": {"type": "number"}}}), "compatible", "breaking"),
    ("an argument that a map's schema may break",
     one({"type": "object", "additionalProperties": {"type": "number"}}),
     one({"type": "object", "additionalProperties": {"type": "number"},
          "properties": {"a": {"type": "integer"}}}), "breaking", "breaking"),
    ("a map's schema", one({"type": "object", "additionalProperties": {"maxLength": 1}}),
     one({"type": "object", "additionalProperties": {"maxLength": 2}}), "compatible", "breaking"),
    ("a multiple", one({"type": "integer", "multipleOf": 6}),
     one({"type": "integer", "multipleOf": 3}), "compatible", "breaking"),
    ("a keyword that draft-07 does not know",
     one({"type": "array", "prefixItems": [{"type": "null"}]}, **{"$schema": DRAFT_7}),
     one({"type": "array", "prefixItems": [{"type": "null"}]}, **{"$schema": LATEST}),
     "breaking", "breaking"),
    ("a dialect that is not known here", one({}, **{"$schema": "https://example.org/mine"}),
     one({}), "breaking", "breaking"),
    ("unevaluated members", one({"properties": {"a": {}}, "unevaluatedProperties": False}),
     one({"unevaluatedProperties": False}), "breaking", "compatible"),
    ("what a dependency refers to", depending(1), depending(2), "breaking", "breaking"),
    ("what a dependency of draft-07 refers to", depending(1, **{"$schema": DRAFT_7}),
     depending(2, **{"$schema": DRAFT_7}), "breaking", "breaking"),
    ("an address with a name for a format", one({"enum": ["Jo <jo@example.org>"]}),
     one({"type": "string", "format": "email"}), "breaking", "breaking"),
    ("an address for a format", one({"enum": ["jo@example.org"]}),
     one({"type": "string", "format": "email"}), "compatible", "breaking"),
    ("a const of another type", one({"const": 1}), one({"const": True}), "breaking", "breaking"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "forth", "back"), [c[1:] for c in OTHER], ids=[c[0] for c in OTHER]
)
def test_another_meaning_has_its_grade_both_ways(
    before: dict[str, Any], after: dict[str, Any], forth: DriftGrade, back: DriftGrade
) -> None:
    assert grade(before, after) == forth, changes(before, after)
    assert grade(after, before) == back, changes(after, before)


def test_a_change_behind_a_reference_is_told_where_the_argument_stands() -> None:
    before = one({"$ref": "#/$defs/C"}, **{"$defs": {"C": {"type": "string", "maxLength": 5}}})
    (change,) = changes(before, one({"type": "string", "maxLength": 4}))
    assert change == Change("/inputSchema/properties/x/maxLength", "breaking", 5, 4)


def test_changes_of_spelling_are_told_beside_changes_of_meaning() -> None:
    before = one({"type": "string", "title": "A", "maxLength": 5})
    found = changes(before, one({"type": "string", "title": "B", "maxLength": 4}))
    assert {(c.pointer.rsplit("/", 1)[1], c.grade) for c in found} == {
        ("maxLength", "breaking"), ("title", "notation"),
    }  # fmt: skip


def test_an_argument_called_title_is_an_argument() -> None:
    before = one({"type": "string", "description": "D"})
    after = {"type": "object", "properties": {"x": {"type": "string"}, "title": {}}}
    assert {c.grade for c in changes(before, after)} == {"description", "compatible"}
    assert {c.grade for c in changes(after, before)} == {"description", "breaking"}
