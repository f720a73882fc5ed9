"""Rows: one request (or conversation) and the answer the router ought to give.

A row is a JSON object a line: `{"request"}` or `{"messages"}`, `"target"`, and optionally
`"kind"`, `"voice"` and `"accept"`. A file is one voice; a folder holds the voices of one split.
`"toolset"` is the fingerprint (its first 16 digits or more) of the toolset that was on offer when
the row was made; a row may instead carry its own `"tools"`, as MCP lists them. Every row passes the
same gate: its target must be a call that the schemas of the tools on offer allow, or no_tool.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast, get_args

from gateway.files import numbered_lines
from gateway.fingerprint import FINGERPRINT_DIGITS, digest
from gateway.manifest import ToolsetMode
from gateway.types import Call, Message, Toolset
from gateway.validate import ToolValidator
from training import members
from training.members import reason_of

Kind = Literal["call", "chat", "out_of_scope", "underspecified", "malformed", "injection"]

_LISTED = 10


class RowError(ValueError):
    """A line that is no row; the message names file, line and reason."""


class ToolsetMismatch(RowError):
    """Rows that were made for another toolset, or for none that they name."""


@dataclass(frozen=True)
class Row:
    """One example. `target` is a call, `{"calls": [...]}` or `{"tool": "no_tool", "reason"}`.

    `toolset` is the fingerprint of the toolset on offer, in full or its beginning; `offered` are
    the row's own tools, if it carries them; `place` is its file and line.
    """

    messages: tuple[Message, ...]
    target: Mapping[str, Any]
    kind: str
    voice: str
    accept: tuple[str, ...] = ()
    toolset: str | None = None
    offered: Toolset | None = None
    place: str = field(default="", compare=False)

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

    Targets are checked against a row's own tools, or else against `toolset`.

    Raises:
        RowError: a line is broken, its target breaks the schema, or there are no rows at all.
    """
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    validators = _validators(toolset)
    rows = [row for file in files for row in _read_file(file, validators)]
    if not rows:
        raise RowError(f"{path}: no rows")
    return rows


def require_toolset(rows: Sequence[Row], toolset: Toolset) -> None:
    """Check that every row was made when exactly `toolset` was on offer (by content, not by name).

    A tool that was not on offer would be learned as one not to call.

    Raises:
        ToolsetMismatch: a row names another toolset or none; the message lists the rows.
    """
    wanted = toolset.fingerprint
    wrong = [row for row in rows if not (row.toolset and wanted.startswith(row.toolset))]
    short = f"{toolset.name} ({wanted[:FINGERPRINT_DIGITS]})"
    _refuse(wrong, f"of {len(rows)} rows were not made for toolset {short}")


def require_own_tools(rows: Sequence[Row], toolset: Toolset) -> None:
    """Check that every row carries the tools it offers; `toolset` only gives the adapter its name.

    Raises:
        ToolsetMismatch: a row carries none; the message lists the rows.
    """
    wrong = [row for row in rows if row.offered is None]
    _refuse(wrong, f"of {len(rows)} rows carry no tools of their own, as `varied` wants")


Require = Callable[[Sequence[Row], Toolset], None]
REQUIRE: Mapping[ToolsetMode, Require] = {"exact": require_toolset, "varied": require_own_tools}
"""The rule of each mode for what rows may be trained on; raises ToolsetMismatch."""


def _refuse(wrong: Sequence[Row], what: str) -> None:
    if wrong:
        listed = [f"{row.place}: {row.toolset or 'names no toolset'}" for row in wrong[:_LISTED]]
        if len(wrong) > _LISTED:
            listed.append(f"and {len(wrong) - _LISTED} more")
        raise ToolsetMismatch("\n  ".join([f"{len(wrong)} {what}:", *listed]))


def rows_digest(rows: Sequence[Row]) -> str:
    """sha256 over what the rows ask and how they are graded, in their order.

    A row's own tools and its `accept` enter it where there are any.
    """
    return digest(
        [
            [[turn.role, turn.content] for turn in row.messages]
            + [row.target]
            + ([row.offered.fingerprint] if row.offered else [])
            + ([{"accept": sorted(set(row.accept))}] if row.accept else [])
            for row in rows
        ]
    )


def row_json(row: Row) -> dict[str, Any]:
    """The row as the object that its line holds."""
    only = row.messages[0] if len(row.messages) == 1 and row.messages[0].role == "user" else None
    said = (
        {"request": only.content}
        if only
        else {"messages": [{"role": m.role, "content": m.content} for m in row.messages]}
    )
    return {
        **said,
        "target": dict(row.target),
        "kind": row.kind,
        "voice": row.voice,
        **({"accept": list(row.accept)} if row.accept else {}),
        **({"tools": row.offered.to_json()["tools"]} if row.offered else {}),
        **({"toolset": row.toolset[:FINGERPRINT_DIGITS]} if row.toolset else {}),
    }


def parse_row(
    value: Any, validators: Mapping[str, ToolValidator], voice: str = "", place: str = ""
) -> Row:
    """One row from its JSON object, through the gate.

    Raises:
        NoTarget: its target is no answer; the message says why.
        ValueError: it is no row for another reason, which the message says.
        RecursionError: it is nested too deeply.
    """
    value = members.members(value)
    wanted = members.wanted(value)
    offered = members.offered(value)
    row = Row(
        messages=members.messages(value),
        target=value["target"],
        kind=value.get("kind") or ("call" if wanted.calls else "chat"),
        voice=members.voice(value) or voice,
        accept=members.accept(value),
        toolset=offered.fingerprint if offered else members.made_for(value),
        offered=offered,
        place=place,
    )
    if row.kind not in get_args(Kind):
        raise ValueError(f"unknown kind {row.kind!r}")
    known = _validators(offered) if offered else validators
    for call in wanted.calls:
        if call.tool not in known:
            raise ValueError(f"target tool {call.tool!r} is not in the toolset")
        errors = known[call.tool].errors(call.arguments)
        if errors:
            raise ValueError(f"target breaks the schema: {errors[0]}")
    return row


def _validators(toolset: Toolset) -> dict[str, ToolValidator]:
    return {tool.name: ToolValidator(tool) for tool in toolset.tools}


def _read_file(file: Path, validators: Mapping[str, ToolValidator]) -> Iterator[Row]:
    try:
        lines = numbered_lines(file)
    except OSError as exc:
        raise RowError(f"{file}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise RowError(f"{file}: {exc}") from exc
    for number, line in lines:
        try:
            yield parse_row(json.loads(line), validators, file.stem, f"{file}:{number}")
        except (ValueError, RecursionError) as exc:
            raise RowError(f"{file}:{number}: {reason_of(exc)}") from exc
