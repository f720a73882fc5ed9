"""The language of the router's answers: a JSON Schema to constrain it, a parser to read it.

The schema is rendered from the toolset of the manifest, never from the live one, and `no_tool`
is always one of its branches. It is a relaxation: keywords that constrained decoding does not
carry are left out here and checked by `validate` afterwards.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, NoReturn, cast

from gateway.types import Call, Route, Toolset

MAX_CALLS = 8
REASON_CHARS = 200
SPACING: Any = {
    "whitespace_flexible": False, "item_separator": ", ", "key_separator": ": ", "lenient": True,
}  # fmt: skip
"""llguidance's options for JSON as targets are written, and for schemas it carries in part."""

_KEPT = frozenset(
    {"type", "enum", "const", "pattern", "minLength", "maxLength", "minimum", "maximum",
     "exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems", "required",
     "additionalProperties"}
)  # fmt: skip
_FORMATS = frozenset({"date", "email"})
_COMPOSED = frozenset({"$ref", "anyOf", "oneOf", "allOf", "if", "patternProperties"})
_DEFINITION = re.compile(r"#/(\$defs|definitions)/([\w.%-]+)", re.ASCII)
_IRREGULAR = re.compile(r"\(\?<?[=!]|\\[1-9bBk]")
"""Look-around, back-references and word boundaries, which no automaton can follow."""


def answer_schema(toolset: Toolset) -> dict[str, Any]:
    """JSON Schema of every answer to a toolset: one call, several calls, or no_tool."""
    call = call_schema(toolset, "tool")
    branches, definitions = call["anyOf"], call["$defs"]
    several = {
        "type": "array", "minItems": 2, "maxItems": MAX_CALLS, "items": {"anyOf": branches},
    }  # fmt: skip
    reason = {"type": "string", "maxLength": REASON_CHARS}
    no_tool = _object(tool={"const": "no_tool"}, reason=reason)
    return {"anyOf": [*branches, no_tool, _object(calls=several)], "$defs": definitions}


def call_schema(toolset: Toolset, name: str) -> dict[str, Any]:
    """JSON Schema of one call: an object of `arguments` and, under `name`, the tool's name."""
    definitions: dict[str, Any] = {}
    branches: list[dict[str, Any]] = []
    for index, tool in enumerate(toolset.tools):
        arguments = _relaxed(tool.input_schema, f"#/$defs/tool{index}", tool.input_schema, 0)
        members = {name: {"const": tool.name}, "arguments": arguments}
        definitions[f"call{index}"] = _object(**members)
        for key, definition in _definitions(tool.input_schema).items():
            definitions[f"tool{index}-{key}"] = _relaxed(
                definition, f"#/$defs/tool{index}", tool.input_schema, 0
            )
        branches.append({"$ref": f"#/$defs/call{index}"})
    return {"anyOf": branches, "$defs": definitions}


def parse_answer(text: str) -> Route:
    """Read a completion. Never raises: what is no answer becomes a route with `error`."""
    try:
        answer = DECODER.decode(text.strip())
    except (ValueError, RecursionError) as exc:
        return Route(error=f"the answer is not JSON: {exc}")
    if not isinstance(answer, dict):
        return Route(error="the answer is not a JSON object")
    members = cast(dict[str, Any], answer)
    if members.get("tool") == "no_tool":
        reason = members.get("reason")
        return Route(reason=reason if isinstance(reason, str) and reason else "no tool fits")
    if set(members) == {"calls"} and isinstance(members["calls"], list):
        calls = [read_call(item, "tool") for item in cast(list[Any], members["calls"])]
    else:
        calls = [read_call(members, "tool")]
    if not calls or len(calls) > MAX_CALLS:
        return Route(error=f"an answer makes 1 to {MAX_CALLS} calls, this one {len(calls)}")
    made = tuple(call for call in calls if call is not None)
    if len(made) != len(calls):
        return Route(error="a call is not of the form {tool, arguments}")
    return Route(calls=made)


def read_call(value: Any, name: str) -> Call | None:
    """The call that a JSON value is, its tool under the member `name`; None if it is no call."""
    if not isinstance(value, dict):
        return None
    members = cast(dict[str, Any], value)
    tool, arguments = members.get(name), members.get("arguments")
    if set(members) != {name, "arguments"} or not isinstance(arguments, dict):
        return None
    return Call(tool, cast(dict[str, Any], arguments)) if isinstance(tool, str) and tool else None


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice in an object")
    return members


def _finite(number: str) -> float:
    return float(number) if math.isfinite(float(number)) else _refuse(number)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name[:20]} is no JSON number")


DECODER = json.JSONDecoder(object_pairs_hook=_members, parse_float=_finite, parse_constant=_refuse)
"""Reads strict JSON: every number finite, no member twice; raises ValueError."""


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _definitions(schema: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key in ("$defs", "definitions"):
        found.update({f"{key}-{n}": d for n, d in (schema.get(key) or {}).items()})
    return found


def _relaxed(schema: Any, prefix: str, root: Mapping[str, Any], depth: int) -> Any:
    """The part of a schema that constrained decoding carries; everything else becomes any JSON."""
    if not isinstance(schema, dict) or depth > 32:
        return schema if isinstance(schema, bool) else {}
    node = cast(dict[str, Any], schema)
    if "$ref" in node:
        return _reference(str(node["$ref"]), prefix, root)
    kept = _kept(node)
    if isinstance(kept.get("additionalProperties"), dict):
        kept["additionalProperties"] = _relaxed(
            kept["additionalProperties"], prefix, root, depth + 1
        )
    if isinstance(node.get("properties"), dict):
        kept["properties"] = {
            name: _relaxed(value, prefix, root, depth + 1)
            for name, value in node["properties"].items()
        }
    if "items" in node and "prefixItems" not in node:
        kept["items"] = _relaxed(node["items"], prefix, root, depth + 1)
    for key in ("anyOf", "oneOf"):
        if key in node:
            kept["anyOf"] = [_relaxed(part, prefix, root, depth + 1) for part in node[key]]
    if kept.get("type") == "object":
        kept.setdefault("additionalProperties", not _names_all_members(node))
    return kept


def _reference(reference: str, prefix: str, root: Mapping[str, Any]) -> dict[str, Any]:
    """A `$ref` to one of the tool's own definitions; any other may stand for any JSON."""
    match = _DEFINITION.fullmatch(reference)
    if match is None or match[2] not in (root.get(match[1]) or {}):
        return {}
    return {"$ref": f"{prefix}-{match[1]}-{match[2]}"}


def _kept(node: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords that stay as they are."""
    kept = {key: value for key, value in node.items() if key in _KEPT}
    if node.get("format") in _FORMATS:
        kept["format"] = node["format"]
    if _IRREGULAR.search(str(kept.get("pattern", ""))):
        del kept["pattern"]
    if "patternProperties" in node:
        kept.pop("additionalProperties", None)
    # Draft 4 writes a flag beside the bound.
    for key in ("exclusiveMinimum", "exclusiveMaximum"):
        if isinstance(kept.get(key), bool):
            del kept[key]
    return kept


def _names_all_members(node: Mapping[str, Any]) -> bool:
    """Whether `properties` is the whole story, so that other members may be shut out."""
    named = set(node.get("properties") or ())
    return bool(named) and not _COMPOSED & set(node) and named >= set(node.get("required", ()))
