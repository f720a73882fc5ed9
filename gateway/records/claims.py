"""Claims: what one of several gateways over the same records does for all of them.

The first to claim a thing holds it until it is done, let go, or the time of the claim is over; then
another may claim it. Claims are no wanted state: they raise no revision. Below stands the database;
`gateway.records` opens it.
"""

import time
from dataclasses import dataclass

from gateway.records.database import Database

CLAIM_TABLES = """
CREATE TABLE IF NOT EXISTS claims (
    name TEXT PRIMARY KEY, holder TEXT NOT NULL, until REAL NOT NULL, done INTEGER NOT NULL);
"""
_CLAIM = "INSERT INTO claims VALUES (?, ?, ?, 0) ON CONFLICT (name) DO NOTHING"


@dataclass(frozen=True, slots=True)
class Claim:
    """Who holds a thing, until when (seconds since 1970), and whether it is done."""

    holder: str
    until: float
    done: bool


class Claims:
    """Things that are done once, whichever gateway does them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, name: str, holder: str, for_s: float) -> Claim:
        """The claim to a thing: this holder's for so many seconds, or that of whoever has it."""
        now = time.time()

        def work() -> Claim:
            with self._database.connection as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("DELETE FROM claims WHERE until <= ?", (now,))
                connection.execute(_CLAIM, (name, holder, now + for_s))
                query = "SELECT holder, until, done FROM claims WHERE name = ?"
                ((owner, until, done),) = self._database.rows(query, name)
            return Claim(owner, until, bool(done))

        return await self._database.run(work)

    async def settle(self, name: str, holder: str, for_s: float) -> None:
        """What the holder claimed is done, and is not to be done again for so many seconds."""
        update = "UPDATE claims SET done = 1, until = ? WHERE name = ? AND holder = ?"
        await self._change(update, time.time() + for_s, name, holder)

    async def let_go(self, name: str, holder: str) -> None:
        """The holder could not do what it claimed: another may."""
        await self._change("DELETE FROM claims WHERE name = ? AND holder = ?", name, holder)

    async def _change(self, statement: str, *values: str | float) -> None:
        def work() -> None:
            with self._database.connection as connection:
                connection.execute(statement, values)

        await self._database.run(work)
