"""Row files on disk: read as they stand, and written for the live toolset, all or nothing.

A data set is a folder of splits (`train`, `validation`, `test`), each a folder of `.jsonl` files; a
file is one voice, and keeps its name.
"""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.errors import BadRequest
from gateway.files import numbered_lines
from gateway.fingerprint import FINGERPRINT_DIGITS
from gateway.heal.relabel import Healed
from gateway.impact.rows import messages_of, spread
from gateway.types import Toolset

SPLITS = ("train", "validation", "test")
TOOLSET, ASIDE = "toolset.json", "aside"
_LISTED = 5


@dataclass(frozen=True, slots=True)
class Line:
    """One row as it stands: its split, its file's name, its line, and its object."""

    split: str
    file: str
    number: int
    row: Mapping[str, Any]

    @property
    def place(self) -> str:
        """Where it stands, beneath the data set's folder."""
        return f"{self.split}/{self.file}:{self.number}"


def read_lines(data: Path, trained: Toolset) -> Sequence[Line]:
    """Every row of a data set made for the trained toolset.

    Raises:
        BadRequest: there are none, a line is broken, or rows are for another toolset; names them.
    """
    files = [file for split in SPLITS for file in sorted((data / split).glob("*.jsonl"))]
    lines = [line for file in files for line in _lines(file)]
    if not lines:
        raise BadRequest(f"{data}: no rows in {', '.join(SPLITS)}")
    wrong = [line for line in lines if not _is_for(line.row, trained)]
    if wrong:
        listed = ", ".join(line.place for line in wrong[:_LISTED])
        listed += ", ..." if len(wrong) > _LISTED else ""
        raise BadRequest(
            f"{data}: {len(wrong)} of {len(lines)} rows were not made for toolset {trained.name} "
            f"({trained.fingerprint[:FINGERPRINT_DIGITS]}): {listed}"
        )
    return lines


def require_new(out: Path) -> None:
    """Refuse a folder that holds something already. Raises BadRequest."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadRequest(f"{out}: is there already; name a new folder, or remove it")


def write_rows(
    out: Path, live: Toolset, found: Sequence[tuple[Line, Healed]], keep: Mapping[str, int]
) -> Mapping[str, int]:
    """Write the rows for the live toolset, those set aside, and the toolset; split -> rows kept.

    `keep` is how many rows of a split to write at most, evenly spread. What is set aside goes to
    `aside/SPLIT/FILE`, each with its `why`. The folder appears whole or not at all.

    Raises:
        BadRequest: `out` holds something already, or cannot be written.
    """
    require_new(out)
    made = out.with_name(f".{out.name}.partial")
    shutil.rmtree(made, ignore_errors=True)
    try:
        counts = _write(made, live, found, keep)
        if out.exists():
            out.rmdir()
        made.rename(out)
    except OSError as exc:
        shutil.rmtree(made, ignore_errors=True)
        raise BadRequest(f"{out}: cannot be written: {exc.strerror}") from exc
    return counts


def _write(
    made: Path, live: Toolset, found: Sequence[tuple[Line, Healed]], keep: Mapping[str, int]
) -> Mapping[str, int]:
    made.mkdir(parents=True)
    (made / TOOLSET).write_text(json.dumps(live.to_json(), indent=1, ensure_ascii=False) + "\n")
    counts: dict[str, int] = {}
    for split in dict.fromkeys(line.split for line, _ in found):
        own = [(line, healed) for line, healed in found if line.split == split]
        kept = spread([pair for pair in own if pair[1].verdict != "aside"], keep.get(split))
        aside = [pair for pair in own if pair[1].verdict == "aside"]
        _files(made / split, [(line, healed.row) for line, healed in kept])
        _files(made / ASIDE / split, [(ln, {**h.row, "why": h.why}) for ln, h in aside])
        counts[split] = len(kept)
    return counts


def _files(folder: Path, rows: Sequence[tuple[Line, Mapping[str, Any]]]) -> None:
    for file in dict.fromkeys(line.file for line, _ in rows):
        folder.mkdir(parents=True, exist_ok=True)
        texts = [json.dumps(row, ensure_ascii=False) for line, row in rows if line.file == file]
        (folder / file).write_text("\n".join(texts) + "\n", encoding="utf-8")


def _lines(file: Path) -> Iterator[Line]:
    try:
        lines = numbered_lines(file)
    except (OSError, UnicodeDecodeError) as exc:
        raise BadRequest(f"{file}: {exc}") from exc
    for number, written in lines:
        try:
            row = json.loads(written)
            messages_of(row)
            row["target"]["tool" if "calls" not in row["target"] else "calls"]
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise BadRequest(f"{file}:{number}: no row: {exc}") from exc
        yield Line(file.parent.name, file.name, number, row)


def _is_for(row: Mapping[str, Any], trained: Toolset) -> bool:
    named = row.get("toolset")
    return (
        isinstance(named, str)
        and len(named) >= FINGERPRINT_DIGITS
        and trained.fingerprint.startswith(named)
    )
