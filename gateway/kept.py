"""Answers on disk, so that a grading that was killed goes on where it was.

A line a row and a mode: what identifies the question, the model's answer, and how long it took.
Whoever asks decides what identifies a question; a half-written last line is dropped.
"""

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gateway.errors import ConversationTooLong
from gateway.manifest import Adapter
from gateway.router import Router
from gateway.types import Call, Evidence, Message, Route, Usage

Answer = tuple[Route, float]
"""A model's answer, and how many seconds it took."""


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
        self._found: dict[str, Answer] = {}
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                value = json.loads(line)
                self._found[value["key"]] = _route(value["route"]), float(value["seconds"])
            except (ValueError, KeyError, TypeError) as exc:
                raise ValueError(f"{file}:{number}: {exc}") from exc
        if file.exists():
            os.truncate(file, len(whole))

    def get(self, key: str) -> Answer | None:
        """An answer, if it is there."""
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


async def answered(
    router: Router,
    messages: Sequence[Message],
    adapter: Adapter,
    kept: KeptAnswers | None = None,
    key: str = "",
    **modes: bool,
) -> Answer:
    """The answer that is kept under a key, or else the model's, which is kept from then on.

    `modes` are those of `Router.route`. A conversation that does not fit is an answer too: none.

    Raises:
        EngineDown, UnknownModel: the engine cannot complete the prompt.
        OSError: the answer cannot be kept.
    """
    before = kept.get(key) if kept else None
    if before is not None:
        return before
    started = time.perf_counter()
    try:
        route = await router.route(messages, adapter, **modes)
    except ConversationTooLong as exc:
        route = Route(error=str(exc))
    seconds = time.perf_counter() - started
    if kept:
        kept.put(key, route, seconds)
    return route, seconds


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
