"""The journal: what a run has got so far, in a folder that the next run goes on from.

`tasks.jsonl` begins with a line that says what the folder is for (toolset, plan, seed ...) and has
a line for each answer. An answer's rows in `rows.jsonl` and its refused in `rejected.jsonl` are on
disk before that line is, so what stands there without it was cut off by a kill and is dropped when
the folder is opened again, as is a last line that was half written. A line with `failed` is a task
without rows, which is to be asked again; the tokens of its answer were paid for all the same.

Answers are written one at a time, by one process (`sole`). What cannot be written is an error and
leaves everything before it as it was.
"""

import fcntl
import json
import os
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from gateway.types import Usage
from training.generate.gate import Refused
from training.rows import Row, row_json

ROWS, REJECTED, TASKS, LOCK = "rows.jsonl", "rejected.jsonl", "tasks.jsonl", ".lock"


class JournalError(ValueError):
    """A folder that cannot be written, or that belongs to another run; names the file."""


@dataclass(frozen=True)
class Entry:
    """One task: asked of which model, what came of it, and the tokens of the answer.

    `failed` says why there was nothing to judge; None if there was.
    """

    task: str
    model: str
    rows: int
    rejected: int
    prompt_tokens: int
    completion_tokens: int
    failed: str | None = None


@contextmanager
def sole(folder: Path) -> Generator[None]:
    """Be the only one that fills a folder, which is made if it is not there.

    Raises:
        JournalError: another process is at it, or the disk refuses.
    """
    with ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = held.enter_context((folder / LOCK).open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise JournalError(f"{folder}: another run fills it: wait for its end") from exc
        except OSError as exc:
            raise JournalError(f"{folder}: {exc.strerror}") from exc
        yield


class Journal:
    """One run's folder.

    `rows` counts its rows, `rejected` by code what was refused, `usage` the tokens of all answers;
    `done` and `failed` are the ids of the tasks that need no other answer, and of those that do.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        """Open a folder, new or from an earlier run with the same `identity` (JSON values).

        Raises:
            JournalError: the identities differ, a line is broken, or the disk refuses.
        """
        self._folder = folder
        self._broken: JournalError | None = None
        self.rows = 0
        self.rejected: Counter[str] = Counter()
        self.usage = Usage()
        self.done: set[str] = set()
        self.failed: set[str] = set()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise JournalError(f"{folder}: {exc.strerror}") from exc
        header = json.dumps(dict(identity)).encode() + b"\n"
        self._require_ours(header, identity)
        for number, line in enumerate(self._kept(TASKS)[1:], 2):
            self._count(_entry(folder / TASKS, number, line))
        self.rows = len(self._kept(ROWS, self.done))
        refused = self._kept(REJECTED, self.done | self.failed)
        self.rejected.update(str(line.get("code")) for line in refused)
        if not self._read(TASKS):
            self._write(folder / TASKS, "wb", header)

    @property
    def rows_file(self) -> Path:
        """Where the rows stand."""
        return self._folder / ROWS

    def record(self, entry: Entry, rows: Sequence[Row], refused: Sequence[Refused]) -> None:
        """Write an answer's rows, what was refused, and then its line.

        Raises:
            JournalError: the disk refuses; the task is not done then.
        """
        if self._broken:
            # Behind half a line nothing may be written, even if there is space again.
            raise self._broken
        self._append(ROWS, [{**row_json(row), "task": entry.task} for row in rows], unicode=True)
        self._append(REJECTED, [{"task": entry.task, **asdict(item)} for item in refused])
        self._append(TASKS, [asdict(entry)])
        self.rows += len(rows)
        self.rejected.update(item.code for item in refused)
        self._count(entry)

    def _count(self, entry: Entry) -> None:
        self.usage += Usage(entry.prompt_tokens, entry.completion_tokens)
        if entry.failed is None:
            self.done.add(entry.task)
            self.failed.discard(entry.task)
        elif entry.task not in self.done:
            self.failed.add(entry.task)

    def _append(self, name: str, lines: Sequence[Any], *, unicode: bool = False) -> None:
        # A refused text may be no valid Unicode; escaped it can be written all the same.
        text = "".join(json.dumps(line, ensure_ascii=not unicode) + "\n" for line in lines)
        if text:
            self._write(self._folder / name, "ab", text.encode())

    def _kept(self, name: str, tasks: set[str] | None = None) -> list[dict[str, Any]]:
        """The lines of a file that belong to `tasks`, or all; the others are taken out of it."""
        file = self._folder / name
        *whole, half = self._read(name).split(b"\n")
        values = [_object(file, number, line) for number, line in enumerate(whole, 1)]
        if tasks is not None:
            for number, value in enumerate(values, 1):
                if "task" not in value:
                    raise JournalError(f"{file}:{number}: of no task; keep it in a file of its own")
            kept = [number for number, value in enumerate(values) if value["task"] in tasks]
        else:
            kept = list(range(len(values)))
        if half or len(kept) < len(whole):
            # A kill between the two steps leaves the old file, and the next opening does it again.
            fresh = file.with_name(f"{name}.tmp")
            self._write(fresh, "wb", b"".join(whole[number] + b"\n" for number in kept))
            fresh.replace(file)
        return [values[number] for number in kept]

    def _require_ours(self, header: bytes, identity: Mapping[str, Any]) -> None:
        """Refuse somebody else's files, before anything is taken out of them."""
        file = self._folder / TASKS
        first, ended, _ = self._read(TASKS).partition(b"\n")
        if ended:
            found = _object(file, 1, first)
            other = [name for name, value in identity.items() if found.get(name) != value]
            if other:
                listed = ", ".join(f"{n} {found.get(n)!r} and not {identity[n]!r}" for n in other)
                raise JournalError(f"{file} is of another run, with {listed}: give another folder")
        elif not header.startswith(first) or self._read(ROWS) or self._read(REJECTED):
            raise JournalError(f"{self._folder} holds files of something else: give another folder")

    def _read(self, name: str) -> bytes:
        file = self._folder / name
        try:
            return file.read_bytes() if file.exists() else b""
        except OSError as exc:
            raise JournalError(f"{file}: {exc.strerror}") from exc

    def _write(self, file: Path, mode: str, content: bytes) -> None:
        try:
            with file.open(mode) as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as exc:
            self._broken = JournalError(
                f"{file} cannot be written ({exc.strerror}); what was done before is safe, and the "
                "same command goes on from there"
            )
            raise self._broken from exc


def _object(file: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        value: Any = json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise JournalError(f"{file}:{number}: no JSON: {exc}") from exc
    if not isinstance(value, dict):
        raise JournalError(f"{file}:{number}: no JSON object")
    return cast(dict[str, Any], value)


def _entry(file: Path, number: int, line: dict[str, Any]) -> Entry:
    try:
        return Entry(**line)
    except TypeError as exc:
        raise JournalError(f"{file}:{number}: no line of a task: {exc}") from exc
