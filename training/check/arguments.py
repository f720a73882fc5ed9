"""The arguments of a call with the schema of each: what masks and target checks both walk over."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from mcp.types import Tool

from gateway.score import FREE_TEXT
from gateway.types import Call

_MAX_REFERENCES = 16
_PLAIN = frozenset({"pattern", "format", "enum", "const"})


@dataclass(frozen=True)
class Argument:
    """A string or number within a call: its JSON Pointer, its innermost name and its schema."""

    pointer: str
    name: str
    value: str | int | float
    schema: Mapping[str, Any]

    def is_free_text(self, accept: Iterable[str] = ()) -> bool:
        """Whether it holds the customer's own words rather than a value of a fixed form.

        Those are the strings without pattern, format or enum whose name `gateway.score` or the
        row's `accept` matches by overlap.
        """
        plain = isinstance(self.value, str) and not _PLAIN & set(self.schema)
        return plain and self.name in FREE_TEXT | set(accept)


def arguments(call: Call, tool: Tool) -> Iterator[Argument]:
    """Every string and number of a call's arguments, in their order."""
    yield from _leaves(call.arguments, tool.input_schema, tool.input_schema, "", "")


def optional(tool: Tool) -> dict[str, Mapping[str, Any]]:
    """Name -> schema of a tool's optional arguments (the outermost ones)."""
    required = cast(list[str], tool.input_schema.get("required") or [])
    properties = _object(tool.input_schema.get("properties"))
    return {
        name: _resolved(_object(schema), tool.input_schema)
        for name, schema in properties.items()
        if name not in required
    }


def _leaves(
    value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], pointer: str, name: str
) -> Iterator[Argument]:
    schema = _resolved(schema, root)
    if isinstance(value, dict):
        properties = _object(schema.get("properties"))
        for key, item in cast(dict[str, Any], value).items():
            step = key.replace("~", "~0").replace("/", "~1")
            yield from _leaves(item, _object(properties.get(key)), root, f"{pointer}/{step}", key)
    elif isinstance(value, list):
        items = _object(schema.get("items"))
        for index, item in enumerate(cast(list[Any], value)):
            yield from _leaves(item, items, root, f"{pointer}/{index}", name)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield Argument(pointer, name, value, schema)


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow local `$ref`s and take the one branch of a union that is not null (`X | None`)."""
    for _ in range(_MAX_REFERENCES):
        reference = schema.get("$ref")
        branches = [
            branch
            for key in ("anyOf", "oneOf", "allOf")
            for branch in map(_object, schema.get(key) or ())
            if branch.get("type") != "null"
        ]
        if isinstance(reference, str) and reference.startswith("#/"):
            schema = _at(root, reference[2:])
        elif len(branches) == 1:
            rest = {k: v for k, v in schema.items() if k not in ("anyOf", "oneOf", "allOf")}
            schema = {**rest, **branches[0]}
        else:
            break
    return schema


def _at(root: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    found = root
    for part in path.split("/"):
        found = _object(found.get(part.replace("~1", "/").replace("~0", "~")))
    return found


def _object(value: Any) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], value) if isinstance(value, dict) else {}
