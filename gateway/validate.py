"""Check a call's arguments against its tool's input schema, and what the call gives back against
the output schema; the only place where this is done.

A validator is compiled once per tool. It speaks JSON Schema 2020-12 (or the dialect that
`$schema` names), never fetches anything (a `$ref` beyond the schema itself is refused), and is
bounded: patterns run in a linear-time engine (those that need look-around or back-references in a
backtracking one, which gives up after too many steps), schemas have a limit on size and depth,
values on depth, and a check whose steps references multiply (`effort`) is not made.

Arguments are held to it when in doubt: formats are asserted, and what cannot be checked within the
bounds counts as invalid. A result is given the benefit of the doubt, for its call has run: formats
are annotations, and what cannot be checked counts as valid.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import jsonschema_rs
from mcp.types import Tool

from gateway.compiling import compiled
from gateway.effort import Effort, Endless
from gateway.pointer import pointer_of

MAX_SCHEMA_BYTES = 1_048_576
MAX_SCHEMA_DEPTH = 200
MAX_ARGUMENT_DEPTH = 64
MAX_ERRORS = 20
_MESSAGE_CHARS = 300


class SchemaError(ValueError):
    """A tool's schema cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class ArgumentError:
    """One violation: where (a JSON Pointer into what was checked, RFC 6901) and what."""

    pointer: str
    message: str

    def __str__(self) -> str:
        return f"{self.pointer or '/'}: {self.message}"

    def as_dict(self) -> dict[str, str]:
        """The form the faces show."""
        return {"pointer": self.pointer, "message": self.message}


class ToolValidator:
    """The compiled validator of one tool's arguments."""

    def __init__(self, tool: Tool) -> None:
        """Compile the tool's input schema.

        Raises:
            SchemaError: the schema is too large or too deep, is no JSON Schema, does not
                describe an object, or refers to something outside itself or back without an end.
        """
        if tool.input_schema.get("type") != "object":
            raise SchemaError('the input schema must have "type": "object"')
        self._schema = _Schema(tool.input_schema, "input schema", asserts_formats=True)

    def errors(self, arguments: Any) -> list[ArgumentError]:
        """Every violation, at most 20; an empty list means the arguments are valid."""
        excess = self._schema.excess(arguments)
        if excess is not None:
            return [ArgumentError("", excess)]
        return [_error(found) for found in islice(self._schema.violations(arguments), MAX_ERRORS)]


class ResultValidator:
    """The compiled validator of what one tool gives back as structured content."""

    def __init__(self, schema: dict[str, Any]) -> None:
        """Compile a tool's output schema.

        Raises:
            SchemaError: as for a `ToolValidator`, but the schema may describe any value.
        """
        self._schema = _Schema(schema, "output schema", asserts_formats=False)

    def error(self, value: Any) -> ArgumentError | None:
        """The first violation; None if the value is valid, or cannot be checked."""
        if self._schema.excess(value) is not None:
            return None
        for found in self._schema.violations(value):
            if not isinstance(found.kind, jsonschema_rs.ValidationErrorKind.BacktrackLimitExceeded):
                return _error(found)
        return None


class _Schema:
    """A compiled schema, with the bounds of a check against it."""

    def __init__(self, schema: dict[str, Any], what: str, *, asserts_formats: bool) -> None:
        """`what` names the schema in errors. Raises SchemaError."""
        self._validator = _compile(schema, what, asserts_formats)
        try:
            self._effort = Effort(schema)
        except (Endless, RecursionError) as exc:
            reason = str(exc) if isinstance(exc, Endless) else "its references reach too deep"
            raise SchemaError(f"the {what} cannot be used: {reason}") from exc

    def excess(self, value: Any) -> str | None:
        """Why a value is not checked; None if it can be."""
        if _depth(value, MAX_ARGUMENT_DEPTH) > MAX_ARGUMENT_DEPTH:
            return f"nested deeper than {MAX_ARGUMENT_DEPTH} levels"
        if not _is_unicode(value):
            return "holds text that is not valid Unicode"
        if not self._effort.fits(value):
            return "a check against the schema takes too many steps"
        return None

    def violations(self, value: Any) -> Iterator[jsonschema_rs.ValidationError]:
        """Every violation, found one by one."""
        return self._validator.iter_errors(value)


def _error(found: jsonschema_rs.ValidationError) -> ArgumentError:
    return ArgumentError(pointer_of(found.instance_path), _short(found.message))


def _compile(schema: dict[str, Any], what: str, asserts_formats: bool) -> Any:
    if _depth(schema, MAX_SCHEMA_DEPTH) > MAX_SCHEMA_DEPTH:
        raise SchemaError(f"the {what} is nested deeper than {MAX_SCHEMA_DEPTH} levels")
    if len(json.dumps(schema)) > MAX_SCHEMA_BYTES:
        raise SchemaError(f"the {what} is larger than {MAX_SCHEMA_BYTES} bytes")
    try:
        return compiled(schema, asserts_formats=asserts_formats)
    except (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as exc:
        raise SchemaError(f"the {what} cannot be compiled: {_short(str(exc))}") from exc


def _short(message: str) -> str:
    first = message.strip().split("\n", 1)[0]
    return first if len(first) <= _MESSAGE_CHARS else first[: _MESSAGE_CHARS - 1] + "…"


def _is_unicode(value: Any) -> bool:
    """False for half a surrogate pair, which JSON can escape but nobody can send on."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _depth(value: Any, limit: int) -> int:
    """Nesting depth of a JSON value, counted no further than one past `limit`."""
    level, depth = [value], 0
    while level and depth <= limit:
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner.extend(item.values())  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
            elif isinstance(item, list):
                inner.extend(item)  # pyright: ignore[reportUnknownArgumentType]
        level = [item for item in inner if isinstance(item, dict | list)]
        depth += 1
    return depth
