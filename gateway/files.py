"""Text files as we read and write them: by numbered lines, and whole. Imports nothing of ours."""

from pathlib import Path


def numbered_lines(file: Path) -> list[tuple[int, str]]:
    """The lines of a `.jsonl` file that hold something, each with its number from 1.

    Raises:
        OSError, UnicodeDecodeError: the file cannot be read.
    """
    # Not splitlines: a text may hold U+2028 and its like unescaped.
    lines = file.read_text(encoding="utf-8").split("\n")
    return [(number, line) for number, line in enumerate(lines, 1) if line.strip()]


def write_whole(file: Path, text: str) -> None:
    """Write a file that is never seen half-written. Raises OSError."""
    made = file.with_name(f".{file.name}.partial")
    made.write_text(text, encoding="utf-8")
    made.rename(file)
