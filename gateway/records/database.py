"""A SQLite file and the one thread that works on it.

Knows connections and statements, not what is kept. The calls and the wanted state stand above.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from gateway.errors import ConfigurationError

_T = TypeVar("_T")


class Database:
    """The connection. `run` is called on the event loop, everything else within its work."""

    def __init__(self, path: str = ":memory:", *, read_only: bool = False) -> None:
        """With `read_only` nothing can be written, and no file is made."""
        self._path = path
        self._read_only = read_only
        self._thread = ThreadPoolExecutor(1, "records")
        self._connection: sqlite3.Connection | None = None

    async def open(self, prepare: Callable[[], object]) -> None:
        """Connect, then let `prepare` make or look for what must be in the file.

        Raises:
            ConfigurationError: the file cannot be used.
        """
        await self.run(lambda: self._open(prepare))

    async def close(self) -> None:
        """Close; idempotent."""
        if self._connection is not None:
            await self.run(self._connection.close)
            self._connection = None
        self._thread.shutdown()

    async def run(self, work: Callable[[], _T]) -> _T:
        """Do work in the database's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    @property
    def connection(self) -> sqlite3.Connection:
        """The open connection. Raises ProgrammingError without one."""
        if self._connection is None:
            raise sqlite3.ProgrammingError("the records are closed")
        return self._connection

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self.connection.execute(query, values).fetchall()

    def _open(self, prepare: Callable[[], object]) -> None:
        try:
            self._connection = self._connected()
            prepare()
        except (OSError, sqlite3.Error) as exc:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            missing = "no gateway's records are there: " if self._read_only else ""
            raise ConfigurationError(f"records {self._path}: {missing}{exc}") from exc

    def _connected(self) -> sqlite3.Connection:
        if self._read_only:
            uri = f"{Path(self._path).absolute().as_uri()}?mode=ro"
            return sqlite3.connect(uri, uri=True, check_same_thread=False)
        if self._path != ":memory:":
            Path(self._path).parent.mkdir(parents=True, exist_ok=True)
        return sqlite3.connect(self._path, check_same_thread=False)
