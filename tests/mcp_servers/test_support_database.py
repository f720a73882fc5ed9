"""The order desk's database: what is seeded, that it is always the same, that changes stay."""

import sqlite3
from pathlib import Path

import pytest
from mcp import Client

from mcp_servers.support.desk import Desk, NotADesk, open_database
from mcp_servers.support.server import SupportServer


def count(desk: Desk, table: str) -> int:
    return desk.number(f"SELECT COUNT(*) FROM {table}")


def test_the_shop_is_large_enough(desk: Desk):
    assert count(desk, "customers") >= 200
    assert count(desk, "orders") >= 1000
    assert count(desk, "items") >= count(desk, "orders")
    assert count(desk, "shipments") >= 500
    assert count(desk, "products") == 60
    assert count(desk, "stock") == 3 * 60
    assert count(desk, "articles") == 40


def test_order_numbers_have_four_to_six_digits_and_every_status_occurs(desk: Desk):
    rows = desk.rows("SELECT id, status FROM orders")
    assert {len(row["id"].removeprefix("ORD-")) for row in rows} == {4, 5, 6}
    statuses = {"processing", "shipped", "delivered", "cancelled", "returned"}
    assert {row["status"] for row in rows} == statuses


def test_the_well_known_orders_are_in_the_states_that_demos_rely_on(desk: Desk):
    known = {n: desk.order(f"ORD-{n}")["status"] for n in (1234, 1235, 1236, 1237)}
    assert known == {1234: "shipped", 1235: "processing", 1236: "delivered", 1237: "cancelled"}


def test_seeding_twice_gives_the_same_database():
    first, second = open_database(None), open_database(None)
    assert list(first.iterdump()) == list(second.iterdump())
    first.close()
    second.close()


def test_the_rows_fit_together(desk: Desk):
    assert desk.rows("PRAGMA foreign_key_check") == []
    assert (
        desk.rows(
            "SELECT o.id FROM orders o WHERE paid NOT IN "
            "(0, (SELECT SUM(quantity * unit_price) FROM items WHERE order_id = o.id))"
        )
        == []
    )
    assert desk.number("SELECT COUNT(*) FROM events WHERE at >= '2026-11-02'") == 0


async def test_changes_stay_in_the_file(tmp_path: Path):
    file = tmp_path / "desk.sqlite"
    desk = Desk(open_database(file))
    async with Client(SupportServer(desk)) as client:
        await client.call_tool("cancel_order", {"order_id": "ORD-1235"})
    desk.close()
    again = Desk(open_database(file))
    assert again.order("ORD-1235")["status"] == "cancelled"
    assert count(again, "orders") > 1000
    again.close()


def test_an_empty_file_is_seeded(tmp_path: Path):
    file = tmp_path / "desk.sqlite"
    file.touch()
    desk = Desk(open_database(file))
    assert count(desk, "products") == 60
    desk.close()


def test_another_database_is_refused_and_left_alone(tmp_path: Path):
    file = tmp_path / "other.sqlite"
    other = sqlite3.connect(file)
    other.execute("CREATE TABLE orders (id)")
    other.close()
    before = file.read_bytes()
    with pytest.raises(NotADesk):
        open_database(file)
    assert file.read_bytes() == before


def test_a_file_that_is_no_database_is_refused(tmp_path: Path):
    file = tmp_path / "notes.txt"
    file.write_text("buy milk\n" * 200)
    with pytest.raises(NotADesk):
        open_database(file)


def test_a_change_that_fails_half_way_leaves_nothing_behind(desk: Desk):
    before = count(desk, "refunds")

    def refund_a_known_and_an_unknown_order() -> None:
        with desk.change():
            for order_id in ("ORD-1236", "ORD-0000"):
                desk.write(
                    "INSERT INTO refunds (order_id, cents, reason) VALUES (?, 1, 'x')", order_id
                )

    with pytest.raises(sqlite3.IntegrityError):
        refund_a_known_and_an_unknown_order()
    assert count(desk, "refunds") == before
