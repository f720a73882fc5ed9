"""Answers on disk, so that a grading that was killed goes on where it was.

A line a row and a mode: what identifies the question, the model's answer, and how long it took.
Whoever asks decides what identifies a question; a half-written last line is dropped.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gateway.types import Call, Evidence, Route, Usage


class KeptAnswers:
    """The answers of one file, by the question's key."""

    def __init__(self, file: Path) -> None:
        """Read what an earlier run left.

        Raises:
            ValueError: a line is broken; names file and line.
            OSError: the file cannot be read or written.
        """
        self._file = file
        whole = file.read_bytes() if file.exists() else b""
        whole = whole[: whole.rfind(b"\n") + 1]
        self._found: dict[str, tuple[Route, float]] = {}
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                value = json.loads(line)
                self._found[value["key"]] = _route(value["route"]), float(value["seconds"])
            except (ValueError, KeyError, TypeError) as exc:
                raise ValueError(f"{file}:{number}: {exc}") from exc
        if file.exists():
            os.truncate(file, len(whole))

    def get(self, key: str) -> tuple[Route, float] | None:
        """An answer and the seconds it took, if it is there."""
        return self._found.get(key)

    def put(self, key: str, route: Route, seconds: float) -> None:
        """Write an answer down at once. Raises OSError."""
        line = json.dumps({"key": key, "route": asdict(route), "seconds": seconds})
        with self._file.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        self._found[key] = route, seconds

    def forget(self) -> None:
        """Drop the answers and their file."""
        self._file.unlink(missing_ok=True)
        self._found.clear()


def _route(value: Mapping[str, Any]) -> Route:
    evidence = value["evidence"]
    return Route(
        calls=tuple(Call(**call) for call in value["calls"]),
        reason=value["reason"],
        error=value["error"],
        confidence=value["confidence"],
        evidence=None if evidence is None else Evidence(**evidence),
        usage=Usage(**value["usage"]),
    )
