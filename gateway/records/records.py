"""What is kept: calls and their labels, registered servers, stored adapters, in one SQLite file.

The parts stand in `call_record.py`, `wanted_state.py` and `claims.py`; this opens and closes what
they work on.
"""

from gateway.records.call_record import CALL_TABLES, CallRecord
from gateway.records.claims import CLAIM_TABLES, Claims
from gateway.records.database import Database
from gateway.records.wanted_state import STATE_TABLES, WantedState


class Records(CallRecord, WantedState, Claims):
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
        database = Database(path, read_only=read_only)
        CallRecord.__init__(self, database, arguments=arguments, max_calls=max_calls)
        WantedState.__init__(self, database)
        Claims.__init__(self, database)
        self._read_only = read_only

    async def open(self) -> None:
        """Open the database; without `read_only`, create what is missing of it.

        Raises:
            ConfigurationError: the file cannot be used.
        """
        await self._database.open(self.require_calls if self._read_only else self._make)

    async def close(self) -> None:
        """Write what is buffered and close; idempotent."""
        await self.flush()
        await self._database.close()

    def _make(self) -> None:
        connection = self._database.connection
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(CALL_TABLES + STATE_TABLES + CLAIM_TABLES)
        self.trim_calls()
