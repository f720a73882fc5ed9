"""Fresh identifiers: other numbers in request and answer alike, and nothing else changed."""

import random
from dataclasses import replace
from typing import Any

import pytest

from gateway.grounding.currencies import everyday_codes
from gateway.grounding.ground import ungrounded
from gateway.types import Message, Toolset
from tests.adapters import support_toolset
from training.refresh import Refresher, in_passes
from training.rows import Row

DESK = support_toolset()


def row(text: str, tool: str, kind: str = "call", **arguments: Any) -> Row:
    return Row((Message("user", text),), {"tool": tool, "arguments": arguments}, kind, "desk")


def refresher(seed: int = 1) -> Refresher:
    return Refresher(DESK, random.Random(seed))


def test_request_and_answer_get_the_same_new_number_of_the_same_length():
    made = refresher()(row("where is ord 48213?", "track_order", order_id="ORD-48213"))
    number = made.target["arguments"]["order_id"].removeprefix("ORD-")
    assert number != "48213"
    assert len(number) == 5
    assert made.text == f"where is ord {number}?"


def test_a_code_keeps_its_shape_and_each_mention_its_case():
    made = refresher()(row("any sku-lamp7 left? SKU-LAMP7!", "check_stock", sku="SKU-LAMP7"))
    code = made.target["arguments"]["sku"].removeprefix("SKU-")
    assert code != "LAMP7"
    assert [c.isdigit() for c in code] == [False, False, False, False, True]
    assert made.text == f"any sku-{code.lower()} left? SKU-{code}!"


def test_two_identifiers_stay_two():
    made = refresher()(
        row(
            "swap SKU-PAN3 for SKU-PAN5 in 5521",
            "exchange_item", order_id="ORD-5521", item_sku="SKU-PAN3", new_sku="SKU-PAN5",
        )
    )  # fmt: skip
    said = made.target["arguments"]
    assert made.text == (
        f"swap {said['item_sku']} for {said['new_sku']} in {said['order_id'].removeprefix('ORD-')}"
    )
    assert said["item_sku"] != "SKU-PAN3"


def test_a_row_with_tools_of_its_own_stays_as_it_is():
    tools = Toolset.from_json(
        {"name": "tools", "tools": [{"name": "other", "inputSchema": {"type": "object"}}]}
    )
    own = replace(row("do 48213", "other", id="48213"), offered=tools)
    assert refresher()(own) is own


def test_a_number_inside_a_longer_one_is_left_alone():
    made = refresher()(row("where is 4821? call 0048213", "track_order", order_id="ORD-4821"))
    assert made.text.endswith("call 0048213")
    assert "4821?" not in made.text


@pytest.mark.parametrize(
    "same",
    [
        row("where is four eight two one", "track_order", order_id="ORD-4821"),
        row("orders of anna@web.de", "list_orders", customer_email="anna@web.de"),
        Row(
            (Message("user", "where is order 12?"),),
            {"tool": "no_tool", "reason": "malformed order_id: 12"}, "malformed", "desk",
        ),
    ],
    ids=["spoken", "no pattern", "no call"],
)  # fmt: skip
def test_what_is_not_written_as_an_identifier_stays(same: Row):
    assert refresher()(same) is same


def test_every_refreshed_call_grounds_and_answers_in_other_turns_follow():
    asked = Row(
        (
            Message("user", "refund 7734 please"),
            Message("assistant", "Why should ORD-7734 be refunded?"),
            Message("user", "the lid is cracked"),
        ),
        {
            "tool": "request_refund",
            "arguments": {"order_id": "ORD-7734", "reason": "the lid is cracked"},
        },
        "call",
        "desk",
    )
    made = refresher()(asked)
    (call,) = made.calls
    assert call.arguments["order_id"] in made.messages[1].content
    assert not ungrounded(call, DESK.by_name["request_refund"], made.messages)


def test_the_first_pass_shows_the_rows_as_written_and_later_ones_refresh_them():
    rows = [row(f"track {n}", "track_order", order_id=f"ORD-{n}") for n in (4821, 90_210)]
    shown = list(in_passes(rows, [1, 0, 0, 1], refresher()))
    assert shown[:2] == [rows[1], rows[0]]
    assert shown[2] != rows[0]
    assert shown[3] != rows[1]


def test_the_same_seed_gives_the_same_rows():
    rows = [row("track 4821", "track_order", order_id="ORD-4821")]
    again = [list(in_passes(rows, [0] * 5, refresher(3))) for _ in range(2)]
    assert again[0] == again[1]
    assert again[0] != list(in_passes(rows, [0] * 5, refresher(4)))


def currencies(pattern: str = "^[A-Z]{3}$") -> Refresher:
    pay = {"type": "object", "properties": {"currency": {"type": "string", "pattern": pattern}}}
    tools = [{"name": "pay", "inputSchema": pay}]
    return Refresher(Toolset.from_json({"name": "shop", "tools": tools}), random.Random(1))


def paid(text: str, code: str = "EUR") -> Row:
    return row(text, "pay", currency=code, note=f"in {code}")


def test_a_currency_becomes_another_currency_in_request_and_answer():
    refresh = currencies()
    made = [refresh(paid("it was EUR, 14 eur")) for _ in range(50)]
    codes = {item.target["arguments"]["currency"] for item in made}
    assert len(codes) > 20
    assert codes <= set(everyday_codes()) - {"EUR"}
    for item in made:
        code = item.target["arguments"]["currency"]
        assert item.text == f"it was {code}, 14 {code.lower()}"
        assert item.target["arguments"]["note"] == f"in {code}"


def test_a_currency_becomes_only_what_its_pattern_takes():
    refresh = currencies("^(EUR|SEK|NOK)$")
    made = [refresh(paid("it was EUR")).target["arguments"]["currency"] for _ in range(20)]
    assert set(made) == {"SEK", "NOK"}


@pytest.mark.parametrize(
    "text",
    ["14 EUR, just 14 euros", "EUR 14 or €14", "it was euros", "EUR, not SEK"],
)
def test_a_currency_that_is_named_twice_or_in_words_stays(text: str):
    same = paid(text)
    assert currencies("^(EUR|SEK)$")(same) is same
