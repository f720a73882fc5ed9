"""What every source's reader gives, and the gate that all of it passes.

A reader is `read(path: Path) -> Iterator[Imported | Refused]`. It knows its source's format and
nothing of the toolset; it gives the objects that `training.rows.parse_row` takes, and it keeps
what it cannot read apart, with its place and the reason, instead of stopping.

The gate knows the toolset and nothing of the formats. It is the one of our own rows and two checks
more, which rows that we write ourselves meet by construction: every identifier of a call comes
from the conversation, and a row is of kind `call` exactly if it makes one.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gateway.errors import BadRequest
from gateway.files import write_whole
from gateway.fingerprint import FINGERPRINT_DIGITS
from gateway.grounding.ground import ungrounded
from gateway.types import Toolset
from gateway.validate import ToolValidator
from training.members import reason_of
from training.rows import Row, parse_row, row_json

REFUSED = "refused"
"""The folder of a data set that keeps what was refused, as `SPLIT/NAME.jsonl` like the rows."""
REFUSALS = (ValueError, KeyError, TypeError, AttributeError, RecursionError, BadRequest)
"""What reading somebody else's object may raise; anything else is our own mistake."""


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


def write(gated: Gated, folder: Path, split: str, name: str) -> tuple[Path, Path]:
    """Write the rows and what was refused, and give their two files.

    The refused stand outside the split, whose every `.jsonl` file is read as rows. Each file
    appears whole or not at all and the rows last, so that an import that was cut off is repeated.

    Raises:
        OSError: a file cannot be written, or the rows' file is there already.
    """
    rows, refused = (top / split / f"{name}.jsonl" for top in (folder, folder / REFUSED))
    if rows.exists():
        raise FileExistsError(f"{rows} exists already: give another --name, or remove it")
    # Escaped, because what was refused may hold text that is not valid Unicode.
    _write_lines(refused, [json.dumps(vars(item)) for item in gated.refused])
    _write_lines(rows, [_line(row) for row in gated.rows])
    return rows, refused


def _write_lines(file: Path, lines: Sequence[str]) -> None:
    if lines:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, "".join(f"{line}\n" for line in lines))
    else:
        file.unlink(missing_ok=True)


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
