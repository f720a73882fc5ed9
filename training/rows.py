"""Rows: one request (or conversation) and the answer the router ought to give.

A row is a JSON object a line: `{"request"}` or `{"messages"}`, `"target"`, and optionally
`"kind"` and `"accept"`. A file is one voice; a folder holds the voices of one split. Every row
passes the same gate: its target must be a call that the toolset's schemas allow, or no_tool.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from gateway.fingerprint import digest
from gateway.grammar import MAX_CALLS
from gateway.types import Call, Message, Role, Toolset
from gateway.validate import ToolValidator

Kind = Literal["call", "chat", "out_of_scope", "underspecified", "malformed", "injection"]


class RowError(ValueError):
    """A line that is no row; the message names file, line and reason."""


@dataclass(frozen=True)
class Row:
    """One example. `target` is a call, `{"calls": [...]}` or `{"tool": "no_tool", "reason"}`."""

    messages: tuple[Message, ...]
    target: Mapping[str, Any]
    kind: str
    voice: str
    accept: tuple[str, ...] = ()

    @property
    def calls(self) -> tuple[Call, ...]:
        """The wanted calls; empty if none is wanted."""
        if self.target.get("tool") == "no_tool":
            return ()
        found = cast(list[Mapping[str, Any]], self.target.get("calls") or [self.target])
        return tuple(Call(call["tool"], call["arguments"]) for call in found)

    @property
    def text(self) -> str:
        """What the user says, all turns."""
        return "\n".join(turn.content for turn in self.messages if turn.role == "user")


def read_rows(path: Path, toolset: Toolset) -> list[Row]:
    """Read a `.jsonl` file, or every `.jsonl` file of a folder in the order of their names.

    Raises:
        RowError: a line is broken, its target breaks the schema, or there are no rows at all.
    """
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    validators = {tool.name: ToolValidator(tool) for tool in toolset.tools}
    rows = [row for file in files for row in _read_file(file, validators)]
    if not rows:
        raise RowError(f"{path}: no rows")
    return rows


def rows_digest(rows: Sequence[Row]) -> str:
    """sha256 over the rows' content in their order: the same data, the same digest."""
    return digest(
        [[[turn.role, turn.content] for turn in row.messages] + [row.target] for row in rows]
    )


def _read_file(file: Path, validators: Mapping[str, ToolValidator]) -> Iterator[Row]:
    try:
        # Not splitlines: a text may hold U+2028 and its like unescaped.
        lines = file.read_text(encoding="utf-8").split("\n")
    except OSError as exc:
        raise RowError(f"{file}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise RowError(f"{file}: {exc}") from exc
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield _row(json.loads(line), file.stem, validators)
            except (ValueError, KeyError, TypeError, AttributeError) as exc:
                raise RowError(f"{file}:{number}: {exc}") from exc


def _row(value: Mapping[str, Any], voice: str, validators: Mapping[str, ToolValidator]) -> Row:
    row = Row(
        messages=_messages(value),
        target=value["target"],
        kind=value.get("kind") or ("chat" if value["target"].get("tool") == "no_tool" else "call"),
        voice=value.get("voice") or voice,
        accept=tuple(value.get("accept", ())),
    )
    if row.kind not in get_args(Kind):
        raise ValueError(f"unknown kind {row.kind!r}")
    if len(row.calls) > MAX_CALLS:
        raise ValueError(f"target makes {len(row.calls)} calls, at most {MAX_CALLS}")
    for call in row.calls:
        if call.tool not in validators:
            raise ValueError(f"target tool {call.tool!r} is not in the toolset")
        errors = validators[call.tool].errors(call.arguments)
        if errors:
            raise ValueError(f"target breaks the schema: {errors[0]}")
    return row


def _messages(value: Mapping[str, Any]) -> tuple[Message, ...]:
    if "request" in value:
        if not isinstance(value["request"], str) or not value["request"].strip():
            raise ValueError("request must be a text")
        return (Message("user", value["request"]),)
    if "messages" not in value:
        raise ValueError("a row needs `request` or `messages`")
    turns = tuple(Message(turn["role"], turn["content"]) for turn in value["messages"])
    if not turns or any(turn.role not in get_args(Role) for turn in turns):
        raise ValueError("messages need a role of system, user, assistant or tool")
    if not all(isinstance(turn.content, str) for turn in turns):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError("a message's content must be a text")
    return turns
