"""Our own form, an object a line: rows that a teacher (`dataset generate`) or a person wrote."""

from collections.abc import Iterator
from pathlib import Path

from training.imports.gate import Imported, Refused
from training.imports.lines import read_lines


def read(path: Path) -> Iterator[Imported | Refused]:
    """Row objects from a `.jsonl` file, or from every one of a folder.

    Raises:
        OSError: a file cannot be read.
    """
    for line in read_lines(path):
        yield line if isinstance(line, Refused) else Imported(line.value, line.place)
