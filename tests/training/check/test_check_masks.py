"""Masks: forms are equal where requests differ only in what could be swapped."""

from typing import Any

import pytest

from gateway.types import Toolset
from tests.training.check.made import DESK, call, item, no_tool, row, track
from training.check.masks import masked


def form(said: Any, target: dict[str, Any] | None = None, **more: Any) -> str:
    return " ".join(item(said, target or no_tool(), **more).form)


ADDRESS = {"street": "Calle Mayor 60", "city": "Madrid", "postal_code": "28013", "country": "ES"}


@pytest.mark.parametrize(
    "said",
    [
        "Where is ORD-4821?",
        "where is ord 4821",
        "WHERE IS #4821!!",
        "where is ord4821?",
        "where is four eight two one",
        "Where is ord forty-eight twenty-one?",
    ],
)
def test_an_identifier_is_its_argument_however_it_is_spelt(said: str):
    assert form(said, track("ORD-4821")) == "where is <order_id>"


def test_a_longer_number_is_not_the_identifier():
    assert form("4821 of 48213", track("ORD-4821")) == "<order_id> of NUMBER"


@pytest.mark.parametrize(
    "said",
    [
        "swap sku-mug12 for SKU MUG-15 in 7704",
        "swap s k u mug one two for sku mug fifteen in seven seven zero four",
    ],
)
def test_each_value_is_named_by_its_argument(said: str):
    target = call("exchange_item", order_id="ORD-7704", item_sku="SKU-MUG12", new_sku="SKU-MUG15")
    assert form(said, target) == "swap <item_sku> for <new_sku> in <order_id>"


def test_names_in_an_address_are_the_target_s_and_the_rest_are_names():
    target = call("update_shipping_address", order_id="ORD-1515", address=ADDRESS)
    said = "Send ORD-1515 to Pilar: Calle Mayor 60, 28013 Madrid, Spain. Not to Lisbon"
    expected = "send <order_id> to NAME <street> <postal_code> <city> NAME not to NAME"
    assert form(said, target) == expected


def test_a_value_of_two_letters_is_left_a_word():
    target = call(
        "update_shipping_address", order_id="ORD-1515", address=ADDRESS | {"country": "TO"}
    )
    assert form("send it to me", target) == "send it to me"


@pytest.mark.parametrize("said", ["refund 19.90 of 1515", "refund 19,90 of 1515"])
def test_an_amount_counts_in_any_notation(said: str):
    target = call("request_refund", order_id="ORD-1515", reason="late", amount=19.9)
    assert form(said, target) == "refund <amount> of <order_id>"


def test_free_text_stays_because_it_is_the_wording():
    assert form("glove size chart", call("search_help", query="glove size chart")) == (
        "glove size chart"
    )
    assert form("note abc", call("search_help", query="abc")) == "note abc"


def test_a_word_of_an_enum_is_a_value():
    target = call("list_orders", customer_email="a@b.io", status="shipped")
    assert form("what has shipped for a@b.io", target) == "what has <status> for EMAIL"


@pytest.mark.parametrize(
    ("said", "masked"),
    [
        ("mail me at anna.lee@web.de", "mail me at EMAIL"),
        ("its anna dot lee at web dot de", "its EMAIL"),
        ("anna (at) web.de please", "EMAIL please"),
        ("come on 2026-06-12", "come on DATE"),
        ("come on 12.06.2026.", "come on DATE"),
        ("come on 12 June 2026", "come on DATE"),
        ("come on June 12th, 2026", "come on DATE"),
        ("come on the first of october twenty twenty seven", "come on the DATE"),
        ("am 3. Juli 2026", "am DATE"),
        ("come on 12 June, ok", "come on DAY ok"),
        ("on the 4th floor", "on the NUMBER floor"),
        ("i may return 3", "i may return NUMBER"),
        ("I have twenty-one of them", "i have NUMBER of them"),
        ("it is H1020554", "it is CODE"),
        ("it is SKU-LAMP, ok", "it is sku CODE ok"),
        ("is ORD-12 ok", "is ord NUMBER ok"),
        ("it weighs 12kg", "it weighs NUMBER kg"),
        ("this is URGENT", "this is urgent"),
        ("ask our Mr. Grigoryan or else Anna Lee-Smith", "ask our NAME or else NAME"),
        ("Thanks! Please wait. Ok", "thanks please wait ok"),
        ("I'm sure I'd know", "i m sure i d know"),
        ("Where Is My Parcel Now", "where is my parcel now"),
        ('the "Blue Moon" lamp', "the QUOTED lamp"),
        ("the “Blue Moon” lamp", "the QUOTED lamp"),
        ('{"route":"human","note":"broken"}', "route human note broken"),
        ('say "cancel each and every order now"', "say cancel each and every order now"),
        ("don't", "don t"),
        ("📦", ""),
    ],
)  # fmt: skip
def test_what_is_recognised_by_its_looks_without_a_target(said: str, masked: str):
    assert form(said) == masked


def test_the_form_is_what_the_user_says_and_the_plain_mask_the_whole_conversation():
    made = item(
        [("system", "be nice"), ("user", "cancel it"), ("assistant", "Which one?"),
         ("user", "7704")],
        call("cancel_order", order_id="ORD-7704"),
    )  # fmt: skip
    assert made.form == ("cancel", "it", "<order_id>")
    assert made.plain == (
        "user:", "cancel", "it", "assistant:", "which", "NUMBER", "user:", "NUMBER",
    )  # fmt: skip


def test_the_plain_mask_does_not_depend_on_the_target():
    said = "list the shipped orders of a@b.io"
    one = item(said, call("list_orders", customer_email="a@b.io", status="shipped"))
    other = item(said, call("list_orders", customer_email="a@b.io"))
    assert one.plain == other.plain
    assert one.form != other.form


def test_a_row_that_carries_its_own_tools_is_masked_by_their_schemas():
    schema = {
        "type": "object",
        "properties": {"ref": {"type": "string", "pattern": "^REF-[0-9]+$"}},
    }
    tools = Toolset.from_json({"name": "own", "tools": [{"name": "find", "inputSchema": schema}]})
    made = row("find 77123", call("find", ref="REF-77123"), offered=tools)
    assert masked(made, DESK, "train", 1).form == ("find", "<ref>")


def test_a_row_without_a_place_is_named_by_its_number():
    assert item("hello", no_tool()).place == "train row 1"
    assert item("hello", no_tool(), place="a.jsonl:3").place == "a.jsonl:3"
