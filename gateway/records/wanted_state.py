"""The wanted state: registered servers, stored adapters, which of them serve, whatever else an
administrator decided (by kind and name), and a revision.

Everything is written before it counts, and every change raises the revision, which replicas
follow. Below stands the database; `gateway.records` opens it.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gateway.records.database import Database

STATE_TABLES = """
CREATE TABLE IF NOT EXISTS servers (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS adapters (
    version TEXT PRIMARY KEY, name TEXT NOT NULL, folder TEXT NOT NULL, digest TEXT NOT NULL,
    added REAL NOT NULL);
CREATE TABLE IF NOT EXISTS active (
    name TEXT PRIMARY KEY, version TEXT NOT NULL, previous TEXT, toolset TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS trials (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS wanted (
    kind TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (kind, name));
CREATE TABLE IF NOT EXISTS revision (value INTEGER NOT NULL);
INSERT INTO revision SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM revision);
"""
_KEEP = (
    "INSERT INTO wanted VALUES (?, ?, ?) ON CONFLICT (kind, name) DO UPDATE SET "
    "value = excluded.value"
)


class WantedState:
    """What an administrator made of the gateway beyond its configuration file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def servers(self) -> list[dict[str, Any]]:
        """The configurations of the servers registered at run time."""
        query = "SELECT value FROM servers ORDER BY rowid"
        return [
            json.loads(row[0])
            for row in await self._database.run(lambda: self._database.rows(query))
        ]

    async def keep_server(self, name: str, config: Mapping[str, Any]) -> None:
        """Keep a registered server."""
        await self._write(
            ("INSERT OR REPLACE INTO servers VALUES (?, ?)", (name, json.dumps(config)))
        )

    async def drop_server(self, name: str) -> None:
        """Forget a registered server."""
        await self._write(("DELETE FROM servers WHERE name = ?", (name,)))

    async def adapters(self) -> list[dict[str, Any]]:
        """Every stored adapter version, oldest first."""
        query = "SELECT version, name, folder, digest, added FROM adapters ORDER BY added"
        names = ("version", "name", "folder", "digest", "added")
        rows = await self._database.run(lambda: self._database.rows(query))
        return [dict(zip(names, row, strict=True)) for row in rows]

    async def keep_adapter(self, version: str, name: str, folder: Path, digest: str) -> None:
        """Keep a stored adapter version."""
        values = (version, name, str(folder), digest, time.time())
        await self._write(("INSERT OR IGNORE INTO adapters VALUES (?, ?, ?, ?, ?)", values))

    async def drop_adapter(self, version: str) -> None:
        """Forget a stored adapter version."""
        await self._write(("DELETE FROM adapters WHERE version = ?", (version,)))

    async def active(self) -> dict[str, dict[str, Any]]:
        """Adapter name -> the version in service, the one before it, its toolset, and its trial,
        if one is under way.

        The names stand in the order in which they first came into service.
        """
        query = (
            "SELECT name, version, previous, toolset, value FROM active LEFT JOIN trials "
            "USING (name) ORDER BY active.rowid"
        )
        rows = await self._database.run(lambda: self._database.rows(query))
        return {
            name: {"version": version, "previous": previous, "toolset": toolset}
            | ({} if trial is None else {"trial": json.loads(trial)})
            for name, version, previous, toolset, trial in rows
        }

    async def keep_active(
        self,
        name: str,
        version: str,
        previous: str | None,
        toolset: str,
        trial: Mapping[str, Any] | None = None,
    ) -> None:
        """Keep which version of an adapter is in service, and the trial beside it, at once."""
        in_service = (
            "INSERT INTO active VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
            "version = excluded.version, previous = excluded.previous, toolset = excluded.toolset",
            (name, version, previous, toolset),
        )
        beside = ("DELETE FROM trials WHERE name = ?", (name,))
        if trial is not None:
            beside = ("INSERT OR REPLACE INTO trials VALUES (?, ?)", (name, json.dumps(trial)))
        await self._write(in_service, beside)

    async def kept(self, kind: str) -> dict[str, Any]:
        """Everything of a kind by its name, in the order in which it was kept first."""
        query = "SELECT name, value FROM wanted WHERE kind = ? ORDER BY rowid"
        rows = await self._database.run(lambda: self._database.rows(query, kind))
        return {name: json.loads(value) for name, value in rows}

    async def keep(self, kind: str, values: Mapping[str, Any]) -> None:
        """Keep values of a kind by their names, all in one change of the state."""
        await self._write(*((_KEEP, (kind, name, json.dumps(v))) for name, v in values.items()))

    async def amend(self, kind: str, name: str, change: Callable[[Any], Any]) -> Any:
        """Keep what `change` makes of one value (None if nothing is kept), and return that.

        It is called in the database's thread, and no other process can come between. If it gives
        the value back as it is, nothing is written.
        """
        query = "SELECT value FROM wanted WHERE kind = ? AND name = ?"

        def work() -> Any:
            with self._database.connection:
                self._database.connection.execute("BEGIN IMMEDIATE")
                rows = self._database.rows(query, kind, name)
                before = json.loads(rows[0][0]) if rows else None
                after = change(before)
                if after is not before:
                    self._apply((_KEEP, (kind, name, json.dumps(after))))
            return after

        return await self._database.run(work)

    async def drop(self, kind: str, *names: str) -> None:
        """Forget values of a kind."""
        drop = "DELETE FROM wanted WHERE kind = ? AND name = ?"
        await self._write(*((drop, (kind, name)) for name in names))

    async def revision(self) -> int:
        """Counts every change of the wanted state; replicas follow it."""
        rows = await self._database.run(lambda: self._database.rows("SELECT value FROM revision"))
        return int(rows[0][0])

    async def _write(self, *statements: tuple[str, Sequence[Any]]) -> None:
        """Run statements as one change of the state."""

        def work() -> None:
            with self._database.connection:
                self._apply(*statements)

        await self._database.run(work)

    def _apply(self, *statements: tuple[str, Sequence[Any]]) -> None:
        for statement, values in statements:
            self._database.connection.execute(statement, values)
        self._database.connection.execute("UPDATE revision SET value = value + 1")
