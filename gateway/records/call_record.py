"""The record of calls and their labels.

Calls are buffered for a moment and written together, off the request's path. A full disk loses
records, says so, and stops nothing. Below stands the database; `gateway.records` opens it.
"""

import asyncio
import json
import logging
import sqlite3
import time
from collections.abc import Mapping
from typing import Any, cast

from gateway.records.database import Database

logger = logging.getLogger(__name__)

CALL_TABLES = """
CREATE TABLE IF NOT EXISTS calls (
    id TEXT PRIMARY KEY, at REAL NOT NULL, face TEXT NOT NULL, model TEXT, outcome TEXT NOT NULL,
    value TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS calls_at ON calls (at);
CREATE TABLE IF NOT EXISTS labels (
    call_id TEXT PRIMARY KEY, target TEXT NOT NULL, at REAL NOT NULL);
"""
_CALLS = "SELECT value, target FROM calls LEFT JOIN labels ON call_id = id"
_BUFFER_S = 0.02
_TRIM_EVERY = 1_000
_SPOKEN = ("messages", "request", "results", "reason", "failure")


class CallRecord:
    """Every call that the gateway proposed or made, the latest `max_calls` of them."""

    def __init__(self, database: Database, *, arguments: bool, max_calls: int) -> None:
        """Without `arguments`, call arguments, requests and results are not kept."""
        self._database = database
        self._arguments = arguments
        self._max_calls = max_calls
        self._buffer: list[dict[str, Any]] = []
        self._flushing: asyncio.Task[None] | None = None
        self._written = 0
        self.lost = 0

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
        return [
            _call(*row)
            for row in await self._database.run(lambda: self._database.rows(query, *values))
        ]

    async def call(self, call_id: str) -> dict[str, Any] | None:
        """One call; None if it is not, or no longer, recorded."""
        await self.flush()
        rows = await self._database.run(
            lambda: self._database.rows(f"{_CALLS} WHERE id = ?", call_id)
        )
        return _call(*rows[0]) if rows else None

    async def label_call(self, call_id: str, label: Any) -> None:
        """Keep the label of a call instead of an earlier one; a labelled call is never trimmed."""
        values = (call_id, json.dumps(label), time.time())

        def work() -> None:
            with self._database.connection:
                self._database.connection.execute(
                    "INSERT OR REPLACE INTO labels VALUES (?, ?, ?)", values
                )

        await self._database.run(work)

    async def flush(self) -> None:
        """Write the buffered calls now."""
        rows, self._buffer = self._buffer, []
        if rows:
            try:
                await self._database.run(lambda: self._insert(rows))
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

    def require_calls(self) -> None:
        """Raises sqlite3.Error, in the database's thread, if the file holds no record of calls."""
        self._database.rows(f"{_CALLS} LIMIT 0")

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
        with self._database.connection:
            self._database.connection.executemany(
                "INSERT OR REPLACE INTO calls VALUES (?, ?, ?, ?, ?, ?)", values
            )
        self._written += len(values)
        if self._written >= _TRIM_EVERY:
            self._written = 0
            self.trim_calls()

    def trim_calls(self) -> None:
        """Drop the oldest calls that nobody labelled; in the database's thread."""
        with self._database.connection:
            self._database.connection.execute(
                "DELETE FROM calls WHERE rowid <= (SELECT max(rowid) FROM calls) - ? "
                "AND id NOT IN (SELECT call_id FROM labels)",
                [self._max_calls],
            )


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
