"""JSON Schema's keywords, sorted by what drift needs to know of each. Imports nothing of ours.

Sources: JSON Schema drafts 04, 06, 07, 2019-09 and 2020-12, core and validation; `nullable` and
the format `password` (a hint to user interfaces) are OpenAPI 3.0's.
"""

from collections.abc import Iterator
from typing import Any, cast

Schema = dict[str, Any]
"""A JSON Schema, as sent or in normal form."""

NOTATION = frozenset({"title", "examples", "$comment", "$schema", "$id", "deprecated"})
"""Keywords that neither the calls nor the model's reading depend on."""
TEXTS = ("description", "default")
"""Keywords that tell the model something and forbid no value."""
DEFINITIONS = frozenset({"$defs", "definitions"})

MAPS = frozenset({"properties", "patternProperties", "dependentSchemas", "dependencies"})
"""Keywords that hold schemas by name."""
LISTS = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
"""Keywords that hold a list of schemas."""
SINGLE = frozenset({
    "items", "additionalProperties", "propertyNames", "contains", "not", "if", "then", "else",
    "unevaluatedItems", "unevaluatedProperties",
})  # fmt: skip
"""Keywords that hold one schema."""
UNEVALUATED = frozenset({"unevaluatedItems", "unevaluatedProperties"})

LOWER = {"minimum": "number", "exclusiveMinimum": "number"}
UPPER = {"maximum": "number", "exclusiveMaximum": "number"}
LEAST = frozenset({"minLength", "minItems", "minProperties"})
MOST = frozenset({"maxLength", "maxItems", "maxProperties"})

TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
ALL_TYPES = frozenset(TYPES) - {"integer"}
"""Every type of JSON; an integer is a number."""

OF_TYPE: dict[str, str] = {
    "minLength": "string", "maxLength": "string", "pattern": "string",
    **LOWER, **UPPER, "multipleOf": "number",
    "items": "array", "prefixItems": "array", "minItems": "array", "maxItems": "array",
    "uniqueItems": "array", "contains": "array", "minContains": "array", "maxContains": "array",
    "properties": "object", "required": "object", "additionalProperties": "object",
    "patternProperties": "object", "propertyNames": "object", "minProperties": "object",
    "maxProperties": "object", "dependentRequired": "object", "dependentSchemas": "object",
}  # fmt: skip
"""Keyword -> the only type whose values it can refuse."""

FORMATS: dict[str, int] = {
    "date-time": 4, "email": 4, "hostname": 4, "ipv4": 4, "ipv6": 4, "uri": 4,
    "json-pointer": 6, "uri-reference": 6, "uri-template": 6,
    "date": 7, "time": 7, "idn-email": 7, "idn-hostname": 7, "iri": 7, "iri-reference": 7,
    "relative-json-pointer": 7, "regex": 7, "duration": 2019, "uuid": 2019,
}  # fmt: skip
"""Formats that are checked, all of strings, with the draft that brought each."""

BEGAN: dict[str, int] = {
    "const": 6, "contains": 6, "propertyNames": 6, "if": 7, "then": 7, "else": 7,
    "dependentRequired": 2019, "dependentSchemas": 2019, "unevaluatedItems": 2019,
    "unevaluatedProperties": 2019, "minContains": 2019, "maxContains": 2019, "prefixItems": 2020,
}  # fmt: skip
"""Keyword -> the draft that brought it; earlier ones ignore it."""
LATEST = 2020
"""The draft that MCP schemas follow unless `$schema` names another (MCP 2025-11-25)."""


def dialect(root: Schema) -> int | None:
    """The draft that a schema says it follows; None for one that is not known here."""
    named = root.get("$schema", "2020-12")
    marks = {"draft-04": 4, "draft-06": 6, "draft-07": 7, "2019-09": 2019, "2020-12": 2020}
    return next((d for mark, d in marks.items() if isinstance(named, str) and mark in named), None)


def inner(schema: Schema) -> Iterator[Any]:
    """What stands where a schema's keywords hold schemas, one level down."""
    for key, value in schema.items():
        if key in MAPS and isinstance(value, dict):
            yield from cast(Schema, value).values()
        elif key in LISTS and isinstance(value, list):
            yield from cast(list[Any], value)
        elif key in SINGLE:
            yield value


def squeezed(text: Any) -> Any:
    """A text without its line breaks and runs of spaces; an empty one is no text."""
    return (" ".join(text.split()) or None) if isinstance(text, str) else text
