"""The language of the router's answers: a JSON Schema to constrain it, a parser to read it.

The schema is rendered from the toolset of the manifest, never from the live one, and `no_tool`
is always one of its branches. It is a relaxation: keywords that constrained decoding does not
carry are left out here and checked by `validate` afterwards.
"""

import json
from collections.abc import Mapping
from typing import Any, NoReturn, cast

from gateway.types import Call, Route, Toolset

MAX_CALLS = 8
REASON_CHARS = 200

_KEPT = frozenset(
    {"type", "enum", "const", "pattern", "minLength", "maxLength", "minimum", "maximum",
     "exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems", "required",
     "additionalProperties"}
)  # fmt: skip
_FORMATS = frozenset({"date", "email"})


def answer_schema(toolset: Toolset) -> dict[str, Any]:
    """JSON Schema of every answer to a toolset: one call, several calls, or no_tool."""
    definitions: dict[str, Any] = {}
    branches: list[dict[str, Any]] = []
    for index, tool in enumerate(toolset.tools):
        arguments = _relaxed(tool.input_schema, f"#/$defs/tool{index}", tool.input_schema, 0)
        definitions[f"call{index}"] = _object(tool={"const": tool.name}, arguments=arguments)
        for name, definition in _definitions(tool.input_schema).items():
            definitions[f"tool{index}-{name}"] = _relaxed(
                definition, f"#/$defs/tool{index}", tool.input_schema, 0
            )
        branches.append({"$ref": f"#/$defs/call{index}"})
    several = {
        "type": "array", "minItems": 2, "maxItems": MAX_CALLS, "items": {"anyOf": branches},
    }  # fmt: skip
    reason = {"type": "string", "maxLength": REASON_CHARS}
    no_tool = _object(tool={"const": "no_tool"}, reason=reason)
    return {"anyOf": [*branches, no_tool, _object(calls=several)], "$defs": definitions}


def parse_answer(text: str) -> Route:
    """Read a completion. Never raises: what is no answer becomes a route with `error`."""
    try:
        answer = json.loads(text.strip(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as exc:
        return Route(error=f"the answer is not JSON: {exc}")
    if not isinstance(answer, dict):
        return Route(error="the answer is not a JSON object")
    members = cast(dict[str, Any], answer)
    if members.get("tool") == "no_tool":
        reason = members.get("reason")
        return Route(reason=reason if isinstance(reason, str) and reason else "no tool fits")
    if set(members) == {"calls"} and isinstance(members["calls"], list):
        calls = [_call(item) for item in cast(list[Any], members["calls"])]
    else:
        calls = [_call(members)]
    if not calls or len(calls) > MAX_CALLS:
        return Route(error=f"an answer makes 1 to {MAX_CALLS} calls, this one {len(calls)}")
    made = tuple(call for call in calls if call is not None)
    if len(made) != len(calls):
        return Route(error="a call is not of the form {tool, arguments}")
    return Route(calls=made)


def _call(value: Any) -> Call | None:
    if not isinstance(value, dict):
        return None
    members = cast(dict[str, Any], value)
    tool, arguments = members.get("tool"), members.get("arguments")
    if set(members) != {"tool", "arguments"} or not isinstance(arguments, dict):
        return None
    return Call(tool, cast(dict[str, Any], arguments)) if isinstance(tool, str) and tool else None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


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
        parts = str(node["$ref"]).split("/")
        known = len(parts) == 3 and parts[0] == "#" and parts[2] in (root.get(parts[1]) or {})
        return {"$ref": f"{prefix}-{parts[1]}-{parts[2]}"} if known else {}
    kept = {key: value for key, value in node.items() if key in _KEPT}
    if node.get("format") in _FORMATS:
        kept["format"] = node["format"]
    if isinstance(kept.get("additionalProperties"), dict):
        kept["additionalProperties"] = _relaxed(
            kept["additionalProperties"], prefix, root, depth + 1
        )
    if isinstance(node.get("properties"), dict):
        kept["properties"] = {
            name: _relaxed(value, prefix, root, depth + 1)
            for name, value in node["properties"].items()
        }
    if "items" in node:
        kept["items"] = _relaxed(node["items"], prefix, root, depth + 1)
    for key in ("anyOf", "oneOf"):
        if key in node:
            kept["anyOf"] = [_relaxed(part, prefix, root, depth + 1) for part in node[key]]
    if kept.get("type") == "object":
        kept.setdefault("additionalProperties", not kept.get("properties"))
    return kept
