"""Numbers that are plainly something else: no order number, neither grounded nor offered."""

import pytest

from gateway.grounding.candidates import narrowed
from gateway.grounding.ground import ungrounded
from gateway.grounding.other_numbers import without_other_numbers
from gateway.types import Call, Message
from tests.adapters import support_toolset

DESK = support_toolset()
TRACK = DESK.by_name["track_order"]


def gives(order: str, text: str) -> bool:
    """Whether a text grounds an order number; it is offered exactly then."""
    said = [Message("user", text)]
    schema = narrowed(DESK, said).by_name["track_order"].input_schema
    grounded = not ungrounded(Call("track_order", {"order_id": order}), TRACK, said)
    assert grounded == (order in schema["properties"]["order_id"].get("enum", ()))
    return grounded


@pytest.mark.parametrize(
    ("order", "text"),
    [
        ("ORD-1234", "I want $1234 back for the broken blender"),
        ("ORD-4500", "I was charged €4500, refund me"),
        ("ORD-1234", "it cost 1234 euros"),
        ("ORD-1200", "refund twelve hundred dollars for my last order"),
        ("ORD-2026", "the order that I placed on 14 June 2026"),
        ("ORD-2026", "since June 14th, 2026"),
        ("ORD-2026", "le 14 juin 2026"),
        ("ORD-2026", "in June 2026"),
        ("ORD-2026", "Cancel the order I made in 2026"),
        ("ORD-2026", "from 06/14/2026"),
        ("ORD-2026", "2026-06-14"),
        ("ORD-2026", "14.06.2026"),
        ("ORD-1406", "14/06/26"),
        ("ORD-2027", "the fourteenth of June twenty twenty seven"),
        ("ORD-1234", "my invoice INV-1234"),
        ("ORD-1234", "ticket TCK1234"),
        ("ORD-1234", "my phone is 555 1234, where is my parcel"),
        ("ORD-6677", "call me back on 030 4455 6677"),
    ],
)
def test_what_is_plainly_something_else_gives_no_order_number(order: str, text: str):
    assert not gives(order, text)


@pytest.mark.parametrize(
    ("order", "text"),
    [
        ("ORD-1234", "ORD 1234 dollars"),
        ("ORD-1234", "refund 1234 $50"),
        ("ORD-1234", "refund fifty dollars for twelve thirty four"),
        ("ORD-1280", "refund twelve eighty, twenty dollars of it"),
        ("ORD-30594", "on june 14 30594 came broken"),
        ("ORD-2026", "order 2026, placed on 14 June 2026"),
        ("ORD-30594", "the phone 30594 is broken"),
        ("ORD-1234", "I may have 1234"),
        ("ORD-1234", "NO-1234, Id1234, order-1234"),
        ("ORD-1234", "inv-1234"),
        ("ORD-1234", "ORDR-1234"),
    ],
)
def test_beside_it_an_order_number_is_read_as_ever(order: str, text: str):
    assert gives(order, text)


@pytest.mark.parametrize("unit", ["1.", "1 ", "$1", "twenty one ", "14 June ", "phone 1", "AB1"])
def test_a_long_text_is_read_to_its_end(unit: str):
    assert without_other_numbers(f"{unit * 10_000}\n77 of $5", "ORD-").endswith("\n77 of  ; ")
