"""Rules about what comes after: refunds, pickups of returns, exchanges."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from mcp_servers.support.desk import Answer, Desk, DeskError, money, units
from mcp_servers.support.orders import refunded

BOOKABLE_DAYS = 60
"""How far ahead a courier can be booked."""

NOT_HERE_YET = {
    "processing": "has not shipped yet. It can still be cancelled with cancel_order",
    "shipped": "is still on its way. Wait until it has been delivered; track_order shows where",
    "returned": "has already been returned",
    "cancelled": "is cancelled, nothing was delivered",
}


def request_refund(
    desk: Desk,
    order_id: str,
    reason: str,
    amount: float | None = None,
    currency: str | None = None,
) -> Answer:
    """File a refund; without an amount, of all that is left of what was paid.

    Raises:
        DeskError: the order is unknown, cancelled or unpaid; the amount is more than what is left
            of the payment or not in whole cents; the currency is not the order's.
    """
    order = desk.order(order_id)
    left = _refundable(desk, order)
    if currency is not None and currency != order["currency"]:
        raise DeskError(
            f"Order {order_id} was paid in {order['currency']}, not {currency}. "
            f"Give the amount in {order['currency']}."
        )
    cents = left if amount is None else _cents(amount)
    if cents > left:
        raise DeskError(
            f"{money(cents, order['currency'])} is more than can be refunded for {order_id}: "
            f"{money(left, order['currency'])} of {money(order['paid'], order['currency'])} paid "
            "is left."
        )
    with desk.change():
        number = desk.write(
            "INSERT INTO refunds (order_id, cents, reason) VALUES (?, ?, ?)",
            *(order_id, cents, reason),
        )
    text = (
        f"Refund REF-{number} of {money(cents, order['currency'])} is filed for order {order_id}. "
        f"{money(left - cents, order['currency'])} could still be refunded."
    )
    return Answer(text, _refund(number, order, cents, left - cents))


def schedule_pickup(desk: Desk, order_id: str, date: str, window: str) -> Answer:
    """Book a courier to collect the return of a delivered order.

    Raises:
        DeskError: the order is unknown or not delivered; the day is past, too far ahead, or
            already booked for this part of the day.
    """
    order = desk.order(order_id)
    _expect_delivered(order, "A pickup cannot be booked")
    _expect_bookable(date, desk.today)
    taken = desk.row(
        "SELECT id FROM pickups WHERE order_id = ? AND day = ? AND part = ?",
        *(order_id, date, window),
    )
    if taken is not None:
        raise DeskError(
            f"The courier is already booked for order {order_id} on {date}, {window} "
            f"(PU-{taken['id']}); nothing more is to be done."
        )
    with desk.change():
        number = desk.write(
            "INSERT INTO pickups (order_id, day, part) VALUES (?, ?, ?)", order_id, date, window
        )
    address = {part: order[part] for part in ("street", "city", "postal_code", "country")}
    data = {
        "pickup_id": f"PU-{number}",
        "order_id": order_id,
        "date": date,
        "window": window,
        "address": address,
    }
    where = f"{order['street']}, {order['postal_code']} {order['city']}"
    text = f"The courier collects the return of {order_id} on {date}, {window}, at {where}"
    return Answer(f"{text} (PU-{number}).", data)


def exchange_item(desk: Desk, order_id: str, item_sku: str, new_sku: str) -> Answer:
    """Swap one piece of a delivered order for a product in stock, which leaves the stock.

    Raises:
        DeskError: the order is unknown or not delivered; the item is not in it, or all pieces
            of it are exchanged; the new product is unknown or sold out.
    """
    order = desk.order(order_id)
    _expect_delivered(order, "An item cannot be exchanged")
    item = _exchangeable(desk, order_id, item_sku)
    product = desk.product(new_sku)
    with desk.change():
        warehouse = _take_from_stock(desk, new_sku)
        number = desk.write(
            "INSERT INTO exchanges (order_id, item_sku, new_sku, warehouse) VALUES (?, ?, ?, ?)",
            *(order_id, item_sku, new_sku, warehouse),
        )
    rate = desk.number("SELECT per_mille FROM currencies WHERE code = ?", order["currency"])
    difference = product["cents"] * rate // 1000 - item["unit_price"]
    data = {
        "exchange_id": f"EX-{number}",
        "order_id": order_id,
        "item_sku": item_sku,
        "new_sku": new_sku,
        "warehouse": warehouse,
        "price_difference": units(difference),
        "currency": order["currency"],
    }
    price = "at the same price"
    if difference:
        verb = "is charged" if difference > 0 else "is paid back"
        price = f"the difference of {money(abs(difference), order['currency'])} {verb}"
    text = f"{item_sku} of order {order_id} is exchanged for {new_sku} ({product['name']})"
    return Answer(f"{text} from {warehouse}, {price} (EX-{number}).", data)


def _refundable(desk: Desk, order: Any) -> int:
    """Cents that may still be refunded, more than 0."""
    if order["status"] == "cancelled":
        raise DeskError(
            f"Order {order['id']} is cancelled; what had been paid was returned with the "
            "cancellation. There is nothing left to refund."
        )
    if order["paid"] == 0:
        raise DeskError(
            f"Order {order['id']} has not been paid, so there is nothing to refund. "
            "If it is no longer wanted, use cancel_order."
        )
    left = order["paid"] - refunded(desk, order["id"])
    if left == 0:
        paid = money(order["paid"], order["currency"])
        raise DeskError(f"Order {order['id']} has been refunded in full ({paid}) already.")
    return left


def _cents(number: float) -> int:
    exact = Decimal(str(number)) * 100
    if exact != int(exact):
        raise DeskError(f"An amount has at most two decimals; {number} cannot be paid out.")
    return int(exact)


def _refund(number: int, order: Any, cents: int, left: int) -> dict[str, Any]:
    return {
        "refund_id": f"REF-{number}",
        "order_id": order["id"],
        "amount": units(cents),
        "currency": order["currency"],
        "left": units(left),
    }


def _expect_delivered(order: Any, refusal: str) -> None:
    if order["status"] != "delivered":
        raise DeskError(f"{refusal}: order {order['id']} {NOT_HERE_YET[order['status']]}.")


def _expect_bookable(day: str, today: date) -> None:
    wanted, last = date.fromisoformat(day), today + timedelta(days=BOOKABLE_DAYS)
    if wanted < today:
        raise DeskError(f"{day} is in the past; today is {today}. Ask for a day from today on.")
    if wanted > last:
        raise DeskError(f"{day} is too far ahead; the courier can be booked until {last}.")


def _exchangeable(desk: Desk, order_id: str, sku: str) -> Any:
    items = {r["sku"]: r for r in desk.rows("SELECT * FROM items WHERE order_id = ?", order_id)}
    if sku not in items:
        raise DeskError(f"{sku} is not in order {order_id}. In it are: {', '.join(items)}.")
    done = desk.number(
        "SELECT COUNT(*) FROM exchanges WHERE order_id = ? AND item_sku = ?", order_id, sku
    )
    if done >= items[sku]["quantity"]:
        raise DeskError(f"All pieces of {sku} in order {order_id} have been exchanged already.")
    return items[sku]


def _take_from_stock(desk: Desk, sku: str) -> str:
    """The warehouse with the most pieces, now with one less."""
    best = desk.row("SELECT * FROM stock WHERE sku = ? ORDER BY pieces DESC, warehouse", sku)
    if best is None or best["pieces"] == 0:
        raise DeskError(
            f"{sku} is sold out, so it cannot be sent in exchange. Offer another product, or a "
            "return with schedule_pickup and request_refund."
        )
    desk.write(
        "UPDATE stock SET pieces = pieces - 1 WHERE sku = ? AND warehouse = ?",
        *(sku, best["warehouse"]),
    )
    return str(best["warehouse"])
