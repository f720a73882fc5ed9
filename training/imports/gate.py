"""What every source's reader gives, and the gate that all of it passes.

A reader is `read(path: Path) -> Iterator[Imported | Refused]`. It knows its source's format and
nothing of the toolset; it gives the objects that `training.rows.parse_row` takes, and it keeps
what it cannot read apart, with its place and the reason, instead of stopping.

The gate knows the toolset and nothing of the formats. It is the one of our own rows and two checks
more, which rows that we write ourselves meet by construction: every identifier of a call comes
from the conversation, and a row is of kind `call` exactly if it makes one.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gateway.errors import BadRequest
from gateway.fingerprint import FINGERPRINT_DIGITS
from gateway.grounding.ground import ungrounded
from gateway.types import Toolset
from gateway.validate import ToolValidator
from training.rows import Row, parse_row, row_json

REJECTED = "rejected.jsonl"
REFUSALS = (ValueError, KeyError, TypeError, AttributeError, RecursionError, BadRequest)
"""What reading somebody else's object may raise; anything else is our own mistake."""
_REASON_CHARS = 300


@dataclass(frozen=True)
class Imported:
    """A row object as `parse_row` takes it, not yet checked; `place` is its file and line."""

    value: dict[str, Any]
    place: str


@dataclass(frozen=True)
class Refused:
    """What became no row: where it stood, why, and what stood there (text or JSON)."""

    place: str
    reason: str
    raw: Any


Reader = Callable[[Path], Iterator[Imported | Refused]]


@dataclass(frozen=True)
class Gated:
    """What passed and what did not; together, everything that a reader gave."""

    rows: tuple[Row, ...]
    refused: tuple[Refused, ...]


def gate(found: Iterable[Imported | Refused], toolset: Toolset, voice: str) -> Gated:
    """Let rows through; `voice` names those that name none.

    A row without tools is taken as made for `toolset`, and so is one whose own tools are those of
    `toolset` by content. A row made for another toolset that it only names is refused.
    """
    validators = {tool.name: ToolValidator(tool) for tool in toolset.tools}
    rows: list[Row] = []
    refused: list[Refused] = []
    for item in found:
        if isinstance(item, Refused):
            refused.append(item)
            continue
        try:
            rows.append(_passed(item, toolset, validators, voice))
        except REFUSALS as exc:
            refused.append(Refused(item.place, reason_of(exc), item.value))
    return Gated(tuple(rows), tuple(refused))


def reason_of(exc: BaseException) -> str:
    """An error as a reason: one line of at most 300 characters."""
    text = f"{exc} is missing" if isinstance(exc, KeyError) else str(exc) or type(exc).__name__
    return " ".join(text.split())[:_REASON_CHARS]


def write(gated: Gated, folder: Path, split: str, name: str) -> Path:
    """Write the rows into `folder/split/name.jsonl` and add the refused to `folder/rejected.jsonl`.

    The rejected stand outside the split, whose every `.jsonl` file is read as rows.

    Raises:
        OSError: a file cannot be written, or the rows' file is there already.
    """
    file = folder / split / f"{name}.jsonl"
    if file.exists():
        raise FileExistsError(f"{file} exists already: give another --name, or remove it")
    file.parent.mkdir(parents=True, exist_ok=True)
    if gated.refused:
        with (folder / REJECTED).open("a", encoding="utf-8") as stream:
            # Escaped, because what was refused may hold text that is not valid Unicode.
            stream.writelines(json.dumps(vars(item)) + "\n" for item in gated.refused)
    if gated.rows:
        file.write_text("".join(_line(row) + "\n" for row in gated.rows), encoding="utf-8")
    return file


def _passed(
    item: Imported, toolset: Toolset, validators: Mapping[str, ToolValidator], voice: str
) -> Row:
    """The row. Raises one of REFUSALS."""
    fingerprint = toolset.fingerprint
    value = {"toolset": fingerprint, **item.value}
    if "tools" not in value and not fingerprint.startswith(str(value["toolset"])):
        raise ValueError(
            f"made for toolset {str(value['toolset'])[:FINGERPRINT_DIGITS]}, "
            f"not for {toolset.name} ({fingerprint[:FINGERPRINT_DIGITS]})"
        )
    row = parse_row(value, validators, voice, item.place)
    if row.offered is not None and row.offered.fingerprint == fingerprint:
        row = replace(row, offered=None)
    if not row.text.strip():
        raise ValueError("the user says nothing")
    if (row.kind == "call") != bool(row.calls):
        raise ValueError(f"kind {row.kind!r} does not fit the target {row.target}")
    _require_grounds(row, row.offered or toolset)
    try:
        _line(row).encode()
    except UnicodeEncodeError as exc:
        raise ValueError("holds text that is not valid Unicode") from exc
    return row


def _require_grounds(row: Row, toolset: Toolset) -> None:
    lacking = [
        f"{call.tool}{found.pointer} {found.value!r}"
        for call in row.calls
        for found in ungrounded(call, toolset.by_name[call.tool], row.messages)
    ]
    if lacking:
        raise ValueError(f"not in what the user or a tool says: {', '.join(lacking)}")


def _line(row: Row) -> str:
    return json.dumps(row_json(row), ensure_ascii=False, allow_nan=False)
