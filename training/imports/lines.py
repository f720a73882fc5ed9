"""JSON lines of other people's files: one object a line, each with its file and number."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from training.imports.gate import Refused
from training.members import reason_of


@dataclass(frozen=True)
class Line:
    """One object and its place, `file:line`."""

    value: dict[str, Any]
    place: str


def read_lines(path: Path) -> Iterator[Line | Refused]:
    """The objects of a `.jsonl` file, or of every `.jsonl` file of a folder in order of names.

    Empty lines are skipped and still counted. Bytes are split at line feeds alone: a text may hold
    U+2028 and its like unescaped.

    Raises:
        OSError: a file cannot be read.
    """
    for file in sorted(path.glob("*.jsonl")) if path.is_dir() else [path]:
        with file.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                if line.strip():
                    yield parse(line, f"{file}:{number}")


def parse(text: bytes, place: str) -> Line | Refused:
    """One JSON object, in UTF-8 with or without a byte order mark."""
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError) as exc:
        return Refused(place, f"no JSON: {reason_of(exc)}", text.decode(errors="replace").strip())
    if not isinstance(value, dict):
        return Refused(place, "no JSON object", value)
    return Line(cast(dict[str, Any], value), place)
