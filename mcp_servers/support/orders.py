"""Rules about an order until it ships: look it up, cancel it, change its address, wrap it."""

from typing import Any

from mcp_servers.support.desk import Answer, Desk, DeskError, money, units

ORDER_TOTALS = """
    SELECT o.id, o.status, o.ordered_on, o.currency,
           SUM(i.quantity * i.unit_price) AS cents, SUM(i.quantity) AS pieces
    FROM orders o JOIN items i ON i.order_id = o.id
"""

TOO_LATE = {
    "shipped": "has already shipped. Once it has arrived it can be returned: schedule_pickup "
    "books the courier, request_refund files the refund",
    "delivered": "has already been delivered. It can be returned: schedule_pickup books the "
    "courier, request_refund files the refund",
    "returned": "has already been returned",
    "cancelled": "is cancelled",
}


def track_order(desk: Desk, order_id: str) -> Answer:
    """Status and shipping progress; an order that has not shipped has no shipments."""
    desk.order(order_id)
    order = desk.rows(f"{ORDER_TOTALS} WHERE o.id = ? GROUP BY o.id", order_id)[0]
    shipments = [
        {
            "carrier": row["carrier"],
            "tracking_number": row["tracking_number"],
            "expected_on": row["expected_on"],
            "events": _events(desk, row["tracking_number"]),
        }
        for row in desk.rows("SELECT * FROM shipments WHERE order_id = ?", order_id)
    ]
    lines = [f"Order {order_id} of {order['ordered_on']} is {order['status']}."]
    for parcel in shipments:
        last = parcel["events"][-1]
        lines.append(f"{parcel['carrier']} parcel {parcel['tracking_number']}:")
        lines.append(f"{last['what']}, {last['place']}, {last['at']}.")
        if order["status"] == "shipped":
            lines.append(f"Expected on {parcel['expected_on']}.")
    return Answer(" ".join(lines), {**_summary(order), "shipments": shipments})


def list_orders(
    desk: Desk, customer_email: str, status: str | None = None, limit: int = 10
) -> Answer:
    """A customer's orders, newest first.

    Raises:
        DeskError: no customer has that e-mail address.
    """
    customer = desk.row("SELECT * FROM customers WHERE email = ?", customer_email)
    if customer is None:
        raise DeskError(
            f"No customer has the e-mail address {customer_email}. Ask for the address that was "
            "given with the order, or for an order number and use track_order."
        )
    found = desk.rows(
        f"{ORDER_TOTALS} WHERE o.customer_id = ? AND (?2 IS NULL OR o.status = ?2) "
        "GROUP BY o.id ORDER BY o.ordered_on DESC, o.id DESC",
        *(customer["id"], status),
    )
    shown = [_summary(row) for row in found[: int(limit)]]
    kind = f"{status} orders" if status else "orders"
    head = f"{customer['name']} has {len(found)} {kind}"
    head += f"; the newest {len(shown)}:" if len(shown) < len(found) else (":" if found else ".")
    lines = [
        f"{x['order_id']} of {x['ordered_on']}: {x['status']}, {x['total']:.2f} {x['currency']}"
        for x in shown
    ]
    data = {"customer_email": customer["email"], "total_count": len(found), "orders": shown}
    return Answer("\n".join([head, *lines]), data)


def cancel_order(desk: Desk, order_id: str, reason: str = "") -> Answer:
    """Cancel what has not shipped and pay back what was paid; again on a cancelled order: no more.

    Raises:
        DeskError: the order is unknown, or has left the warehouse.
    """
    order = desk.order(order_id)
    if order["status"] == "cancelled":
        text = f"Order {order_id} was already cancelled; nothing has changed."
        return Answer(text, _cancelled(order, cents=0, already=True))
    _expect_processing(order, "can no longer be cancelled")
    left = order["paid"] - refunded(desk, order_id)
    with desk.change():
        desk.write(
            "UPDATE orders SET status = 'cancelled', cancel_reason = ? WHERE id = ?",
            *(reason or None, order_id),
        )
        if left:
            desk.write(
                "INSERT INTO refunds (order_id, cents, reason) VALUES (?, ?, ?)",
                *(order_id, left, "order cancelled"),
            )
    paid_back = f"{money(left, order['currency'])} go back to the customer"
    text = f"Order {order_id} is cancelled; {paid_back if left else 'nothing had been paid'}."
    return Answer(text, _cancelled(order, cents=left, already=False))


def update_shipping_address(desk: Desk, order_id: str, address: dict[str, str]) -> Answer:
    """Change where an order that has not shipped is delivered.

    Raises:
        DeskError: the order is unknown, has left the warehouse, or a part of the address is blank.
    """
    order = desk.order(order_id)
    _expect_processing(order, "can no longer be sent elsewhere")
    given = {part: text.strip() for part, text in address.items()}
    if blank := [part for part, text in given.items() if not text]:
        raise DeskError(f"The address is incomplete: ask the customer for {', '.join(blank)}.")
    changed = any(order[part] != text for part, text in given.items())
    with desk.change():
        desk.write(
            "UPDATE orders SET street = ?, city = ?, postal_code = ?, country = ? WHERE id = ?",
            *(given["street"], given["city"], given["postal_code"], given["country"], order_id),
        )
    where = "{street}, {postal_code} {city}, {country}".format(**given)
    data = {"order_id": order_id, "address": given, "changed": changed}
    return Answer(f"Order {order_id} will be delivered to {where}.", data)


def gift_wrap(desk: Desk, order_id: str, message: str = "") -> Answer:
    """Wrap an order that has not shipped, with the message on a card if there is one.

    Raises:
        DeskError: the order is unknown or has left the warehouse.
    """
    order = desk.order(order_id)
    _expect_processing(order, "can no longer be wrapped")
    with desk.change():
        desk.write("UPDATE orders SET gift_message = ? WHERE id = ?", message, order_id)
    card = f'with the card "{message}"' if message else "without a card"
    data = {"order_id": order_id, "wrapped": True, "message": message or None}
    return Answer(f"Order {order_id} will be wrapped as a gift {card}.", data)


def refunded(desk: Desk, order_id: str) -> int:
    """The sum of an order's refunds so far, in cents."""
    return desk.number("SELECT SUM(cents) FROM refunds WHERE order_id = ?", order_id)


def _expect_processing(order: Any, consequence: str) -> None:
    if order["status"] != "processing":
        why = TOO_LATE[order["status"]]
        raise DeskError(f"Order {order['id']} {consequence}: it {why}.")


def _events(desk: Desk, tracking_number: str) -> list[dict[str, str]]:
    sql = "SELECT at, place, what FROM events WHERE tracking_number = ? ORDER BY at"
    return [dict(row) for row in desk.rows(sql, tracking_number)]


def _summary(row: Any) -> dict[str, Any]:
    return {
        "order_id": row["id"],
        "status": row["status"],
        "ordered_on": row["ordered_on"],
        "pieces": row["pieces"],
        "total": units(row["cents"]),
        "currency": row["currency"],
    }


def _cancelled(order: Any, cents: int, already: bool) -> dict[str, Any]:
    return {
        "order_id": order["id"],
        "status": "cancelled",
        "already_cancelled": already,
        "refunded": units(cents),
        "currency": order["currency"],
    }
