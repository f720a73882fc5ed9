"""What is kept: calls and their labels, registered servers, stored adapters. SQLite, one thread.

Calls are buffered for a moment and written together, off the request's path; everything else is
written before it counts. A full disk loses records, says so, and stops nothing.
"""

import asyncio
import json
import logging
import sqlite3
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar, cast

from gateway.errors import ConfigurationError

logger = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS calls (
    id TEXT PRIMARY KEY, at REAL NOT NULL, face TEXT NOT NULL, model TEXT, outcome TEXT NOT NULL,
    value TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS calls_at ON calls (at);
CREATE TABLE IF NOT EXISTS labels (
    call_id TEXT PRIMARY KEY, target TEXT NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS servers (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS adapters (
    version TEXT PRIMARY KEY, name TEXT NOT NULL, folder TEXT NOT NULL, digest TEXT NOT NULL,
    added REAL NOT NULL);
CREATE TABLE IF NOT EXISTS active (
    name TEXT PRIMARY KEY, version TEXT NOT NULL, previous TEXT, toolset TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS revision (value INTEGER NOT NULL);
INSERT INTO revision SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM revision);
"""
_CALLS = "SELECT value, target FROM calls LEFT JOIN labels ON call_id = id"
_BUFFER_S = 0.02
_TRIM_EVERY = 1_000
_SPOKEN = ("messages", "request", "results", "reason", "failure")
_T = TypeVar("_T")


class Records:
    """The gateway's memory. All methods run on the event loop; SQLite runs in its own thread."""

    def __init__(
        self,
        path: str = ":memory:",
        *,
        arguments: bool = True,
        max_calls: int = 100_000,
        read_only: bool = False,
    ) -> None:
        """Without `arguments`, call arguments, requests and results are not kept.

        `read_only` looks at the file that a gateway made, perhaps one that runs, and never
        changes it.
        """
        self._path = path
        self._arguments = arguments
        self._max_calls = max_calls
        self._read_only = read_only
        self._thread = ThreadPoolExecutor(1, "records")
        self._connection: sqlite3.Connection | None = None
        self._buffer: list[dict[str, Any]] = []
        self._flushing: asyncio.Task[None] | None = None
        self._written = 0
        self.lost = 0

    async def open(self) -> None:
        """Open the database; without `read_only`, create what is missing of it.

        Raises:
            ConfigurationError: the file cannot be used.
        """
        await self._run(self._open)

    async def close(self) -> None:
        """Write what is buffered and close; idempotent."""
        await self.flush()
        if self._connection is not None:
            await self._run(self._connection.close)
            self._connection = None
        self._thread.shutdown()

    def note_call(self, record: Mapping[str, Any]) -> None:
        """Keep one call: `id`, `face`, `model`, `outcome` and whatever else it carries."""
        kept = dict(record) if self._arguments else _without_arguments(record)
        self._buffer.append({"at": time.time(), **kept})
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.get_running_loop().create_task(self._flush_soon())

    async def calls(
        self,
        limit: int = 100,
        outcome: str | None = None,
        *,
        labelled: bool = False,
        offset: int = 0,
    ) -> list[dict[str, Any]]:
        """The latest calls after `offset` newer ones, newest first; one with a label tells it."""
        await self.flush()
        query = (
            f"{_CALLS} WHERE (? IS NULL OR outcome = ?) AND (NOT ? OR target IS NOT NULL) "
            "ORDER BY calls.at DESC, calls.rowid DESC LIMIT ? OFFSET ?"
        )
        values = (outcome or None, outcome, labelled, limit, offset)
        return [_call(*row) for row in await self._run(lambda: self._rows(query, *values))]

    async def call(self, call_id: str) -> dict[str, Any] | None:
        """One call; None if it is not, or no longer, recorded."""
        await self.flush()
        rows = await self._run(lambda: self._rows(f"{_CALLS} WHERE id = ?", call_id))
        return _call(*rows[0]) if rows else None

    async def label_call(self, call_id: str, label: Any) -> None:
        """Keep the label of a call instead of an earlier one; a labelled call is never trimmed."""
        values = (call_id, json.dumps(label), time.time())

        def work() -> None:
            with self._db:
                self._db.execute("INSERT OR REPLACE INTO labels VALUES (?, ?, ?)", values)

        await self._run(work)

    async def servers(self) -> list[dict[str, Any]]:
        """The configurations of the servers registered at run time."""
        query = "SELECT value FROM servers ORDER BY rowid"
        return [json.loads(row[0]) for row in await self._run(lambda: self._rows(query))]

    async def keep_server(self, name: str, config: Mapping[str, Any]) -> None:
        """Keep a registered server."""
        await self._write("INSERT OR REPLACE INTO servers VALUES (?, ?)", name, json.dumps(config))

    async def drop_server(self, name: str) -> None:
        """Forget a registered server."""
        await self._write("DELETE FROM servers WHERE name = ?", name)

    async def adapters(self) -> list[dict[str, Any]]:
        """Every stored adapter version, oldest first."""
        query = "SELECT version, name, folder, digest, added FROM adapters ORDER BY added"
        names = ("version", "name", "folder", "digest", "added")
        rows = await self._run(lambda: self._rows(query))
        return [dict(zip(names, row, strict=True)) for row in rows]

    async def keep_adapter(self, version: str, name: str, folder: Path, digest: str) -> None:
        """Keep a stored adapter version."""
        await self._write(
            "INSERT OR IGNORE INTO adapters VALUES (?, ?, ?, ?, ?)",
            version, name, str(folder), digest, time.time(),
        )  # fmt: skip

    async def drop_adapter(self, version: str) -> None:
        """Forget a stored adapter version."""
        await self._write("DELETE FROM adapters WHERE version = ?", version)

    async def active(self) -> dict[str, dict[str, Any]]:
        """Adapter name -> the version in service, the one before it, and its toolset.

        The names stand in the order in which they first came into service.
        """
        rows = await self._run(
            lambda: self._rows("SELECT name, version, previous, toolset FROM active ORDER BY rowid")
        )
        return {
            name: {"version": version, "previous": previous, "toolset": toolset}
            for name, version, previous, toolset in rows
        }

    async def keep_active(
        self, name: str, version: str, previous: str | None, toolset: str
    ) -> None:
        """Keep which version of an adapter is in service."""
        await self._write(
            "INSERT INTO active VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
            "version = excluded.version, previous = excluded.previous, toolset = excluded.toolset",
            name, version, previous, toolset,
        )  # fmt: skip

    async def revision(self) -> int:
        """Counts every change of servers and adapters; replicas follow it."""
        rows = await self._run(lambda: self._rows("SELECT value FROM revision"))
        return int(rows[0][0])

    async def flush(self) -> None:
        """Write the buffered calls now."""
        rows, self._buffer = self._buffer, []
        if rows:
            try:
                await self._run(lambda: self._insert(rows))
            except sqlite3.Error as exc:
                self._lose(len(rows), exc)

    async def _flush_soon(self) -> None:
        await asyncio.sleep(_BUFFER_S)
        while self._buffer:
            await self.flush()

    def _lose(self, count: int, why: Exception) -> None:
        self.lost += count
        logger.error(
            "%d call records could not be written: %s", count, why,
            extra={"event": "records_lost", "lost": self.lost},
        )  # fmt: skip

    def _open(self) -> None:
        if self._read_only:
            self._connection = _reader(Path(self._path))
            return
        try:
            if self._path != ":memory:":
                Path(self._path).parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self._path, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.executescript(_SCHEMA)
            self._trim()
        except (OSError, sqlite3.Error) as exc:
            raise ConfigurationError(f"records {self._path}: {exc}") from exc

    def _insert(self, rows: list[dict[str, Any]]) -> None:
        values: list[tuple[Any, ...]] = []
        for row in rows:
            try:
                text = _dumps(row)
            except (ValueError, TypeError, RecursionError) as exc:
                self._lose(1, exc)
                continue
            values.append(
                (row["id"], row["at"], row["face"], row.get("model"), row["outcome"], text)
            )
        with self._db:
            self._db.executemany("INSERT OR REPLACE INTO calls VALUES (?, ?, ?, ?, ?, ?)", values)
        self._written += len(values)
        if self._written >= _TRIM_EVERY:
            self._written = 0
            self._trim()

    def _trim(self) -> None:
        with self._db:
            self._db.execute(
                "DELETE FROM calls WHERE rowid <= (SELECT max(rowid) FROM calls) - ? "
                "AND id NOT IN (SELECT call_id FROM labels)",
                [self._max_calls],
            )

    async def _write(self, statement: str, *values: Any) -> None:
        def work() -> None:
            with self._db:
                self._db.execute(statement, values)
                self._db.execute("UPDATE revision SET value = value + 1")

        await self._run(work)

    def _rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._db.execute(query, values).fetchall()

    @property
    def _db(self) -> sqlite3.Connection:
        if self._connection is None:
            raise sqlite3.ProgrammingError("the records are closed")
        return self._connection

    async def _run(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _reader(path: Path) -> sqlite3.Connection:
    """A connection that can neither write nor create. Raises ConfigurationError."""
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, check_same_thread=False)
        try:
            connection.execute(f"{_CALLS} LIMIT 0")
        except sqlite3.Error:
            connection.close()
            raise
    except sqlite3.Error as exc:
        raise ConfigurationError(f"records {path}: no gateway's records are there: {exc}") from exc
    return connection


def _call(value: str, label: str | None) -> dict[str, Any]:
    # A model or an agent may have said NaN, which no JSON that leaves us may hold.
    call = json.loads(value, parse_constant=str)
    return call if label is None else {**call, "label": json.loads(label)}


def _dumps(value: Mapping[str, Any]) -> str:
    # Lone surrogates, which JSON bodies can carry, have no UTF-8 form.
    return json.dumps(value, default=str)


def _without_arguments(record: Mapping[str, Any]) -> dict[str, Any]:
    """Names, outcomes and pointers alone; texts of errors and checks can quote a value."""
    kept = {key: value for key, value in record.items() if key not in _SPOKEN}
    for key in ("calls", "proposal"):
        if kept.get(key):
            kept[key] = [{"tool": call["tool"]} for call in kept[key]]
    if kept.get("call"):
        kept["call"] = {"tool": kept["call"]["tool"]}
    if "checks" in kept:
        found = cast(dict[str, Any], kept["checks"])
        kept["checks"] = found | {
            key: [{"pointer": item["pointer"]} for item in found.get(key, ())]
            for key in ("schema", "grounding")
        }
    return kept
