"""BFCL's way to describe tools -> MCP tools, and the names back.

BFCL writes Python types (`dict`, `float`, `tuple`, `any`), dotted names, and `optional` beside an
argument; MCP wants JSON Schema and names that every chat API takes. Knows nothing of cases.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from mcp.types import Tool

from gateway.manifest import OFFERED
from gateway.types import RESERVED_NAMES, Call, Toolset

MAX_NAME_CHARS = 64
_JSON_TYPES = {
    "string": "string", "integer": "integer", "float": "number", "boolean": "boolean",
    "array": "array", "tuple": "array", "dict": "object", "any": None,
}  # fmt: skip
_ILLEGAL = re.compile(r"[^A-Za-z0-9_-]")
_REPLACED = frozenset({"type", "properties", "items", "enum", "optional"})


class DialectError(ValueError):
    """A description that is not of BFCL's Python dialect; the message says where and why."""


@dataclass(frozen=True)
class Offer:
    """Tools on offer as MCP has them; `original` is our name -> BFCL's name."""

    toolset: Toolset
    original: Mapping[str, str]

    def offered_name(self, original: str) -> str:
        """Our name for BFCL's. Raises KeyError for a tool that is not on offer."""
        return {theirs: ours for ours, theirs in self.original.items()}[original]

    def in_original(self, call: Call) -> Call:
        """The call under the name that BFCL uses; an unknown name stays."""
        return Call(self.original.get(call.tool, call.tool), call.arguments)


def offer(functions: Sequence[Mapping[str, Any]]) -> Offer:
    """The tools that BFCL's function descriptions describe, in their order.

    Raises:
        DialectError: a description is broken, or two tools have one name.
    """
    original: dict[str, str] = {}
    tools: list[Tool] = []
    for function in functions:
        name, parameters = function.get("name"), function.get("parameters")
        if not isinstance(name, str) or not isinstance(parameters, Mapping):
            raise DialectError("a function needs a name and parameters")
        if name in original.values():
            raise DialectError(f"two functions are named {name!r}")
        legal = _legal(name, {*original, *RESERVED_NAMES})
        original[legal] = name
        schema = json_schema(cast(Mapping[str, Any], parameters), name)
        if schema.get("type") != "object":
            raise DialectError(f"{name}: parameters must be a dict")
        shown = {"name": legal, "description": function.get("description"), "inputSchema": schema}
        tools.append(Tool.model_validate(shown))
    return Offer(Toolset(OFFERED, tuple(tools)), original)


def json_schema(described: Any, place: str) -> dict[str, Any]:
    """JSON Schema of a described value. `optional` goes: what is not required is optional.

    `any` becomes no type at all. A member of `enum` that spells a value of the declared type
    (`"True"` of a boolean) becomes that value; one that does not (`"dontcare"`) widens the type to
    what `enum` lists. An array's `enum` is about its items. Other keywords, `default` among them,
    stay as they are.

    Raises:
        DialectError: a type is not of the dialect; the message gives `place` and the path below.
    """
    if not isinstance(described, Mapping):
        raise DialectError(f"{place}: no description of a value")
    node = cast(Mapping[str, Any], described)
    declared = node.get("type")
    if declared not in _JSON_TYPES:
        raise DialectError(f"{place}: type {declared!r} is not one of {', '.join(_JSON_TYPES)}")
    made: dict[str, Any] = {"type": _JSON_TYPES[declared]}
    made |= {key: value for key, value in node.items() if key not in _REPLACED}
    if "properties" in node:
        members = cast(Mapping[str, Any], node["properties"])
        made["properties"] = {
            name: json_schema(member, f"{place}.{name}") for name, member in members.items()
        }
    if "items" in node:
        items = cast(Mapping[str, Any], node["items"])
        listed = {"enum": node["enum"]} if "enum" in node else {}
        made["items"] = json_schema({**listed, **items}, f"{place}[]")
    elif "enum" in node:
        made |= _enum(node["enum"], made["type"])
    return {key: value for key, value in made.items() if key != "type" or value is not None}


def _enum(listed: Sequence[Any], json_type: str | None) -> dict[str, Any]:
    values = [_read(value, json_type) for value in listed]
    spelled = any(isinstance(value, str) for value in values)
    return {"enum": values, "type": None if spelled and json_type != "string" else json_type}


def _read(value: Any, json_type: str | None) -> Any:
    """The value of a type that a text spells, else the text."""
    if not isinstance(value, str) or json_type not in ("integer", "number", "boolean"):
        return value
    if json_type == "boolean":
        return {"true": True, "false": False}.get(value.lower(), value)
    try:
        return int(value) if json_type == "integer" else float(value)
    except ValueError:
        return value


def _legal(name: str, taken: set[str]) -> str:
    """The name in the letters that every chat API takes, made unlike those `taken`."""
    legal = _ILLEGAL.sub("_", name)[:MAX_NAME_CHARS] or "_"
    number = 2
    while legal in taken:
        ending = f"_{number}"
        legal = _ILLEGAL.sub("_", name)[: MAX_NAME_CHARS - len(ending)] + ending
        number += 1
    return legal
