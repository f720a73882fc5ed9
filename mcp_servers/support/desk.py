"""The order desk's database and the words in which its rules answer.

Knows SQLite and nothing of MCP. One connection, used from one thread, one call at a time.
"""

import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from mcp_servers.support.seed import seed


class DeskError(Exception):
    """A business rule refuses the call; the message tells an agent what to do instead."""


class NotADesk(Exception):
    """The database file exists, but holds something other than an order desk."""


@dataclass(frozen=True)
class Answer:
    """What a tool answers: a text to pass on, and the same as data for its output schema."""

    text: str
    data: dict[str, Any]


def open_database(path: Path | None) -> sqlite3.Connection:
    """Open the desk's database; `None` is a private one in memory.

    An absent or empty file is created and seeded; one with a desk in it is taken as it is.

    Raises:
        NotADesk: the file holds something else.
        sqlite3.OperationalError: the file cannot be opened or written.
    """
    connection = sqlite3.connect(path or ":memory:", isolation_level=None)
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        if not tables:
            seed(connection)
        elif not {"orders", "items", "articles", "escalations"} <= tables:
            raise NotADesk(f"{path} is a database, but not one of the order desk")
    except BaseException as error:
        connection.close()
        if isinstance(error, sqlite3.DatabaseError) and "not a database" in str(error):
            raise NotADesk(f"{path} is not a database") from error
        raise
    return connection


class Desk:
    """The open desk. `today` is asked at every call, so that a long run sees the days pass."""

    def __init__(self, connection: sqlite3.Connection, today: Callable[[], date] = date.today):
        self._connection = connection
        self._today = today

    @property
    def today(self) -> date:
        """The day by which pickups are judged."""
        return self._today()

    def close(self) -> None:
        """Close the database; what a call has answered is already written."""
        self._connection.close()

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """All rows of a query."""
        return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, *values: Any) -> sqlite3.Row | None:
        """The first row of a query, or `None`."""
        return self._connection.execute(sql, values).fetchone()

    def number(self, sql: str, *values: Any) -> int:
        """The integer that a query of one value answers; no value counts as 0."""
        row = self.row(sql, *values)
        return int(row[0] or 0) if row else 0

    def write(self, sql: str, *values: Any) -> int:
        """Run one statement inside `change`; returns the id of an inserted row."""
        return self._connection.execute(sql, values).lastrowid or 0

    @contextmanager
    def change(self) -> Generator[None]:
        """One transaction: all that is written within takes effect, or nothing does."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def order(self, order_id: str) -> sqlite3.Row:
        """The order with that number.

        Raises:
            DeskError: there is none.
        """
        order = self.row("SELECT * FROM orders WHERE id = ?", order_id)
        if order is None:
            raise DeskError(
                f"There is no order {order_id}. Check the number with the customer, or find it "
                "with list_orders and the customer's e-mail address."
            )
        return order

    def product(self, sku: str) -> sqlite3.Row:
        """The product with that number.

        Raises:
            DeskError: there is none.
        """
        product = self.row("SELECT * FROM products WHERE sku = ?", sku)
        if product is None:
            raise DeskError(f"There is no product {sku}. Check the product number.")
        return product


def units(cents: int) -> float:
    """Cents as the number that results show, in units of the currency."""
    return cents / 100


def money(cents: int, currency: str) -> str:
    """Cents as text: `12.90 EUR`."""
    return f"{cents / 100:.2f} {currency}"
