"""What the checks ask of a tool's arguments: which are free text, and which may be left out."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from mcp.types import Tool

from gateway.arguments import Argument, resolved
from gateway.score import FREE_TEXT

_FIXED = frozenset({"pattern", "format", "enum", "const"})


def is_free_text(argument: Argument, accept: Iterable[str] = ()) -> bool:
    """Whether it holds the customer's own words rather than a value of a fixed form.

    Those are the strings without pattern, format or enum whose name `gateway.score` or the row's
    `accept` matches by overlap.
    """
    plain = isinstance(argument.value, str) and not _FIXED & set(argument.schema)
    return plain and argument.name in FREE_TEXT | set(accept)


def optional(tool: Tool) -> dict[str, Mapping[str, Any]]:
    """Name -> schema of a tool's optional arguments (the outermost ones)."""
    required = cast(list[str], tool.input_schema.get("required") or [])
    properties = cast(dict[str, Any], tool.input_schema.get("properties") or {})
    return {
        name: resolved(schema if isinstance(schema, dict) else {}, tool.input_schema)
        for name, schema in properties.items()
        if name not in required
    }
