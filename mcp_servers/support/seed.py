"""Fills an empty database with the shop: the same customers, orders and stock in every run.

Nothing here reads a clock or shared randomness: all is drawn from one `Random(SEED)`, and the
days lie before `AS_OF`. Four orders are written by hand, so that demos and tests can name them:
ORD-1234 is shipped, ORD-1235 processing, ORD-1236 delivered, ORD-1237 cancelled; all are Anna's.
"""

import json
import sqlite3
from datetime import date, datetime, timedelta
from importlib.resources import files
from random import Random
from typing import Any, NamedTuple

from mcp_servers.support.people import CITIES, FIRST_NAMES, LAST_NAMES, City

SEED = 20261101
AS_OF = date(2026, 11, 1)
"""The day the seeded state describes; orders are at most a year older."""

CUSTOMERS = 240
DRAWN_ORDERS = 1200
WAREHOUSES = ("berlin", "lyon", "porto")
CURRENCIES = {"EUR": 1000, "CHF": 950, "GBP": 860, "PLN": 4300, "SEK": 11200, "USD": 1080}
ANNAS_HOME = (CITIES[0], "Kastanienallee 12", "10435")
CARRIERS = {"berlin": "Nordpost", "lyon": "Colis Rapide", "porto": "Atlantico Express"}


class Line(NamedTuple):
    """One item of an order; the price is euro cents a piece."""

    sku: str
    quantity: int
    cents: int


class Draft(NamedTuple):
    """An order before it is written."""

    id: str
    customer_id: int
    status: str
    ordered_on: date
    city: City
    street: str
    postal_code: str
    lines: list[Line]
    paid: bool


def read_data(name: str) -> Any:
    """The JSON data file of this package with that name."""
    return json.loads(files("mcp_servers.support").joinpath(name).read_text(encoding="utf-8"))


def seed(connection: sqlite3.Connection) -> None:
    """Create all tables and rows in an empty database, in one transaction."""
    rng = Random(SEED)
    schema = files("mcp_servers.support").joinpath("schema.sql").read_text(encoding="utf-8")
    products = read_data("products.json")
    connection.executescript(f"BEGIN;\n{schema}")
    connection.executemany("INSERT INTO currencies VALUES (?, ?)", CURRENCIES.items())
    connection.executemany("INSERT INTO products VALUES (:sku, :name, :cents)", products)
    connection.executemany("INSERT INTO stock VALUES (?, ?, ?)", _stock(rng, products))
    connection.executemany(
        "INSERT INTO articles (title, body, topic) VALUES (:title, :text, :topic)",
        read_data("articles.json"),
    )
    connection.executemany("INSERT INTO customers VALUES (?, ?, ?)", _customers(rng))
    for draft in [*_known_orders(products), *_drawn_orders(rng, products)]:
        _write_order(connection, rng, draft)
    connection.commit()


def _stock(rng: Random, products: list[dict[str, Any]]) -> list[tuple[str, str, int]]:
    fixed = {"SKU-MUG12": (42, 17, 8), "SKU-MUG14": (12, 0, 5), "SKU-TENT3P": (0, 0, 0)}
    rows: list[tuple[str, str, int]] = []
    for product in products:
        drawn = tuple(rng.choice((0, rng.randint(1, 120))) for _ in WAREHOUSES)
        pieces = fixed.get(product["sku"], drawn)
        rows += [(product["sku"], *pair) for pair in zip(WAREHOUSES, pieces, strict=True)]
    return rows


def _customers(rng: Random) -> list[tuple[int, str, str]]:
    rows = [(1, "Anna Berger", "anna@example.com")]
    pairs = [(first, last) for first in FIRST_NAMES for last in LAST_NAMES]
    for number, (first, last) in enumerate(rng.sample(pairs, CUSTOMERS - 1), start=2):
        domain = rng.choice(("example.com", "example.org", "example.net"))
        rows.append((number, f"{first} {last}", f"{first}.{last}@{domain}".lower()))
    return rows


def _known_orders(products: list[dict[str, Any]]) -> list[Draft]:
    cents = {product["sku"]: product["cents"] for product in products}

    def draft(number: int, status: str, ordered_on: date, *items: tuple[str, int]) -> Draft:
        lines = [Line(sku, quantity, cents[sku]) for sku, quantity in items]
        return Draft(f"ORD-{number}", 1, status, ordered_on, *ANNAS_HOME, lines, paid=True)

    return [
        draft(1234, "shipped", date(2026, 10, 28), ("SKU-KETTL3", 1), ("SKU-MUG12", 2)),
        draft(1235, "processing", date(2026, 10, 31), ("SKU-LAMP01", 1), ("SKU-BULB10", 1)),
        draft(1236, "delivered", date(2026, 10, 12), ("SKU-MUG12", 2), ("SKU-SCARF", 1)),
        draft(1237, "cancelled", date(2026, 10, 20), ("SKU-CHAIR1", 1)),
    ]


def _drawn_orders(rng: Random, products: list[dict[str, Any]]) -> list[Draft]:
    """Orders in no order of time: the shop hands its numbers out from shuffled blocks."""
    each = DRAWN_ORDERS // 3
    numbers = [
        *rng.sample(range(1300, 10_000), each),
        *rng.sample(range(10_000, 100_000), each),
        *rng.sample(range(100_000, 1_000_000), each),
    ]
    homes = {n: _home(rng) for n in range(2, CUSTOMERS + 1)} | {1: ANNAS_HOME}
    drafts: list[Draft] = []
    for number in numbers:
        customer_id = rng.randint(1, CUSTOMERS)
        age = rng.choice((rng.randint(0, 10), rng.randint(11, 365)))
        chosen = rng.sample(products, rng.choice((1, 1, 2, 2, 3, 4)))
        lines = [Line(p["sku"], rng.choice((1, 1, 1, 2, 3)), p["cents"]) for p in chosen]
        status = _status(rng, age)
        paid = status not in ("processing", "cancelled") or rng.random() < 0.85
        ordered_on = AS_OF - timedelta(days=age)
        home = homes[customer_id]
        drafts.append(Draft(f"ORD-{number}", customer_id, status, ordered_on, *home, lines, paid))
    return drafts


def _home(rng: Random) -> tuple[City, str, str]:
    city = rng.choice(CITIES)
    street = f"{rng.choice(city.streets)} {rng.randint(1, 180)}"
    postal_code = "".join(rng.choice("0123456789") if c == "#" else c for c in city.postal_codes)
    return city, street, postal_code


def _status(rng: Random, age: int) -> str:
    if age <= 2:
        return rng.choice(("processing", "processing", "processing", "cancelled"))
    if age <= 6:
        return rng.choice(("processing", "shipped", "shipped", "shipped", "cancelled"))
    if age <= 10:
        return rng.choice(("shipped", "delivered", "delivered", "delivered"))
    if age <= 15:
        return "delivered"
    return rng.choice(("delivered",) * 8 + ("returned", "cancelled"))


def _write_order(connection: sqlite3.Connection, rng: Random, draft: Draft) -> None:
    rate = CURRENCIES[draft.city.currency]
    items = [(draft.id, x.sku, x.quantity, x.cents * rate // 1000) for x in draft.lines]
    total = sum(quantity * price for _, _, quantity, price in items)
    paid = total if draft.paid else 0
    connection.execute(
        "INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
        (
            *(draft.id, draft.customer_id, draft.status, draft.ordered_on.isoformat()),
            *(draft.city.currency, paid),
            *(draft.street, draft.city.name, draft.postal_code, draft.city.country),
            "ordered by mistake" if draft.status == "cancelled" else None,
        ),
    )
    connection.executemany("INSERT INTO items VALUES (?, ?, ?, ?)", items)
    if paid and draft.status in ("cancelled", "returned"):
        connection.execute(
            "INSERT INTO refunds (order_id, cents, reason) VALUES (?, ?, ?)",
            (draft.id, paid, f"order {draft.status}"),
        )
    if draft.status not in ("processing", "cancelled"):
        _write_shipment(connection, rng, draft)


def _write_shipment(connection: sqlite3.Connection, rng: Random, draft: Draft) -> None:
    warehouse = rng.choice(WAREHOUSES)
    number = f"{warehouse[:2].upper()}{rng.randrange(10**10):010d}"
    expected_on = draft.ordered_on + timedelta(days=rng.randint(4, 7))
    connection.execute(
        "INSERT INTO shipments VALUES (?, ?, ?, ?)",
        (number, draft.id, CARRIERS[warehouse], expected_on.isoformat()),
    )
    start = datetime(draft.ordered_on.year, draft.ordered_on.month, draft.ordered_on.day)
    steps = [
        (16, warehouse.title(), "Packed in the warehouse"),
        (30, warehouse.title(), "Handed to the carrier"),
        (52, "Frankfurt" if warehouse == "berlin" else "Lyon", "Sorted in the parcel centre"),
    ]
    if draft.status != "shipped":
        steps += [(79, draft.city.name, "Out for delivery"), (83, draft.city.name, "Delivered")]
    if draft.status == "returned":
        steps += [
            (260, draft.city.name, "Collected for return"),
            (330, warehouse.title(), "Returned"),
        ]
    for hours, place, what in steps:
        at = start + timedelta(hours=hours, minutes=rng.randint(0, 59))
        row = (number, at.isoformat(timespec="minutes") + "Z", place, what)
        connection.execute("INSERT INTO events VALUES (?, ?, ?, ?)", row)
