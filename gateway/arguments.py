"""The arguments of a call, each with what the tool's input schema says of it.

One walk for everything that looks at arguments one by one: grounding, the masks and checks of a
data set. It follows local references and chooses among alternatives; whether a call is valid is
not its business (`gateway.validate`). Pure functions, which end for every valid schema.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from mcp.types import Tool

from gateway.pointer import at, unescaped
from gateway.types import Call

_MAX_DEPTH = 64
_MAX_STEPS = 32
_ALTERNATIVES = ("anyOf", "oneOf", "allOf")
_TELLING = frozenset({"pattern", "format", "properties", "items", "$ref"})


@dataclass(frozen=True, slots=True)
class Argument:
    """A string or number within a call: its JSON Pointer, its innermost name and its schema."""

    pointer: str
    name: str
    value: str | int | float
    schema: Mapping[str, Any]


def arguments(call: Call, tool: Tool) -> Iterator[Argument]:
    """Every string and number of a call's arguments, in their order."""
    return _leaves(call.arguments, tool.input_schema, tool.input_schema, "", "")


def resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a schema within `root` says once references are followed and alternatives are chosen.

    Of alternatives that one is taken that is the only one besides null (`X | None`), or else the
    first that describes a form or a structure; without one they stay as they are.
    """
    for _ in range(_MAX_STEPS):
        reference = schema.get("$ref")
        if reference == "#":
            schema = root
        elif isinstance(reference, str) and reference.startswith("#/"):
            schema = _at(root, reference[2:])
        else:
            chosen = _chosen(schema)
            if chosen is None:
                break
            schema = chosen
    return schema


def _leaves(
    value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], pointer: str, name: str
) -> Iterator[Argument]:
    if pointer.count("/") > _MAX_DEPTH:
        return
    schema = resolved(schema, root)
    if isinstance(value, dict):
        properties = _object(schema.get("properties"))
        rest = schema.get("additionalProperties")
        for key, item in cast(dict[str, Any], value).items():
            inner = _object(properties.get(key, rest))
            yield from _leaves(item, inner, root, at(pointer, key), key)
    elif isinstance(value, list):
        inner = _object(schema.get("items"))
        for index, item in enumerate(cast(list[Any], value)):
            yield from _leaves(item, inner, root, f"{pointer}/{index}", name)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield Argument(pointer, name, value, schema)


def _at(root: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    found = root
    for part in path.split("/"):
        found = _object(found.get(unescaped(part)))
    return found


def _chosen(schema: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The schema with the first choice made that can be made; None if there is none."""
    for key in _ALTERNATIVES:
        branches = [_object(branch) for branch in schema.get(key) or ()]
        branches = [branch for branch in branches if branch.get("type") != "null"]
        if len(branches) > 1:
            branches = [branch for branch in branches if _TELLING & set(branch)]
        if branches:
            return {**{k: v for k, v in schema.items() if k != key}, **branches[0]}
    return None


def _object(value: Any) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], value) if isinstance(value, dict) else {}
