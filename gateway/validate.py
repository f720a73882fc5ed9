"""Check a call's arguments against its tool's input schema; the only place where this is done.

A validator is compiled once per tool. It speaks JSON Schema 2020-12 (or the dialect that
`$schema` names) with formats asserted, never fetches anything (a `$ref` beyond the schema itself
is refused), and is bounded: patterns run in a linear-time engine (those that need look-around or
back-references in a backtracking one, where a value that takes too many steps breaks the
pattern), schemas have a limit on size and depth, arguments on depth, and a check whose steps
references multiply (`effort`) is not made: such arguments count as invalid.
"""

import json
from dataclasses import dataclass
from typing import Any, NoReturn

import jsonschema_rs
from mcp.types import Tool

from gateway.effort import Effort, Endless
from gateway.pointer import pointer_of

MAX_SCHEMA_BYTES = 1_048_576
MAX_SCHEMA_DEPTH = 200
MAX_ARGUMENT_DEPTH = 64
MAX_ERRORS = 20
_BACKTRACK_STEPS = 100_000
_PATTERN_BYTES = 10_485_760
_MESSAGE_CHARS = 300


class SchemaError(ValueError):
    """A tool's input schema cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class ArgumentError:
    """One violation: where (a JSON Pointer into the arguments, RFC 6901) and what."""

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
        self._validator = _compile(tool.input_schema)
        try:
            self._effort = Effort(tool.input_schema)
        except (Endless, RecursionError) as exc:
            reason = str(exc) if isinstance(exc, Endless) else "its references reach too deep"
            raise SchemaError(f"the input schema cannot be used: {reason}") from exc

    def errors(self, arguments: Any) -> list[ArgumentError]:
        """Every violation, at most 20; an empty list means the arguments are valid."""
        if _depth(arguments, MAX_ARGUMENT_DEPTH) > MAX_ARGUMENT_DEPTH:
            return [ArgumentError("", f"nested deeper than {MAX_ARGUMENT_DEPTH} levels")]
        if not _is_unicode(arguments):
            return [ArgumentError("", "holds text that is not valid Unicode")]
        if not self._effort.fits(arguments):
            return [ArgumentError("", "checking them against the schema takes too many steps")]
        found: list[ArgumentError] = []
        for error in self._validator.iter_errors(arguments):
            found.append(ArgumentError(pointer_of(error.instance_path), _short(error.message)))
            if len(found) == MAX_ERRORS:
                break
        return found


def _compile(schema: dict[str, Any]) -> Any:
    if _depth(schema, MAX_SCHEMA_DEPTH) > MAX_SCHEMA_DEPTH:
        raise SchemaError(f"the input schema is nested deeper than {MAX_SCHEMA_DEPTH} levels")
    if len(json.dumps(schema)) > MAX_SCHEMA_BYTES:
        raise SchemaError(f"the input schema is larger than {MAX_SCHEMA_BYTES} bytes")
    if schema.get("type") != "object":
        raise SchemaError('the input schema must have "type": "object"')
    try:
        try:
            return _validator(schema, jsonschema_rs.RegexOptions())
        except jsonschema_rs.ValidationError:
            return _validator(
                schema,
                jsonschema_rs.FancyRegexOptions(
                    backtrack_limit=_BACKTRACK_STEPS, size_limit=_PATTERN_BYTES
                ),
            )
    except (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as exc:
        raise SchemaError(f"the input schema cannot be compiled: {_short(str(exc))}") from exc


def _validator(
    schema: dict[str, Any], patterns: jsonschema_rs.RegexOptions | jsonschema_rs.FancyRegexOptions
) -> Any:
    return jsonschema_rs.validator_for(
        schema,
        validate_formats=True,
        retriever=_refuse,
        pattern_options=patterns,
        email_options=jsonschema_rs.EmailOptions(allow_display_text=False),
    )


def _refuse(uri: str) -> NoReturn:
    raise ValueError(f"$ref {uri} is outside the schema and is not fetched")


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
