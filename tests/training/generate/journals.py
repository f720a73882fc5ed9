"""Folders of a run for tests, with the answers to two tasks."""

from pathlib import Path
from typing import Any

from tests.training.generate.endpoint import DESK, lines, task, track
from training.generate.gate import Gate, Refused
from training.generate.journal import Entry, Journal

IDENTITY = {"toolset": DESK.fingerprint[:16], "seed": 7, "plan": "p"}
BROKEN = Refused("parse", "no JSON", '{"half \ud83d')
ROWS = Gate(DESK)(
    lines(track("where is ORD-4821, höflich?"), track("ORD-4821: news?")), task()
).rows


def entry(number: int, **changed: Any) -> Entry:
    value: dict[str, Any] = {"task": f"t{number}", "model": "large", "rows": 2, "rejected": 1}
    return Entry(**{**value, "prompt_tokens": 100, "completion_tokens": 20, **changed})


def opened(folder: Path, **changed: Any) -> Journal:
    return Journal(folder, {**IDENTITY, **changed})


def two_tasks(folder: Path) -> None:
    journal = opened(folder)
    for number in (1, 2):
        journal.record(entry(number), ROWS, [BROKEN])


def texts(folder: Path) -> list[str]:
    return [(folder / f"{name}.jsonl").read_text() for name in ("rows", "rejected", "tasks")]


def appended(file: Path, text: str) -> None:
    with file.open("a") as stream:
        stream.write(text)
