"""Currencies: a code, a name or a sign that means one grounds it, and an everyday word does not."""

from typing import Any

import pytest
from mcp.types import Tool

from gateway.grounding.ground import ungrounded
from gateway.types import Call, Message
from tests.adapters import support_toolset

FREE = "^[A-Z]{3}$"


def is_grounded(code: str, text: str, pattern: str = FREE, **more: Any) -> bool:
    schema = {"type": "object", "properties": {"x": {"type": "string", "pattern": pattern}}}
    tool = Tool(name="t", input_schema=schema)
    return not ungrounded(Call("t", {"x": code, **more}), tool, [Message("user", text)])


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("GBP", "refund 7652, gbp, late"),
        ("EUR", "35 eur bak pls"),
        ("EUR", "it was 35eur, Eur!"),
        ("CAD", "ORD-83329 | CAD | pallet jack seized"),
        ("EUR", '{"currency":"EUR"}'),
        ("USD", "i paid in u s d"),
        ("USD", "in U.S.D."),
        ("EUR", "14 euros back"),
        ("EUR", "paid in Euro"),
        ("EUR", "a refund of €14.50"),
        ("JPY", "3500 yen"),
        ("USD", "47 US dollars"),
        ("USD", "47 U.S. dollars"),
        ("CHF", "twenty Swiss francs"),
        ("GBP", "pounds sterling"),
        ("GBP", "40 British pounds"),
        ("PLN", "sixty zlotys"),
        ("PLN", "60 Polish zloty"),
        ("SEK", "300 kronor"),
        ("KRW", "South Korean won"),
        ("TRY", "It was TRY, I think."),
        ("TRY", "in USD, no, TRY"),
        ("TRY", "1.200,50 try back"),
        ("TRY", "paid in t r y"),
        ("ALL", "Albanian lekë"),
        ("TRY", "lira"),
    ],
)
def test_a_currency_that_is_named_grounds(code: str, text: str):
    assert is_grounded(code, text)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("TRY", "Could you try to refund ORD-94728?"),
        ("TRY", "Try refunding 99014 once more"),
        ("TRY", "PLEASE TRY AGAIN"),
        ("ALL", "All the money for 71083, all of it"),
        ("ALL", "REFUND IT ALL!"),
        ("ALL", "refund 71083 all of it"),
        ("TOP", "the top of 5523"),
        ("CUP", "order 5523 cup broken"),
        ("CUP", "swap SKU-CUP please"),
        ("MAD", "this drives me mad, 12048"),
        ("PEN", "the pen leaks"),
        ("SIT", "I cannot sit on it"),
        ("BAD", "a bad chair"),
        ("EUR", "an european plug"),
        ("INR", "put it in r"),
        ("SEK", "it's e k"),
        ("USD", "47 dollars"),
        ("USD", "$47"),
        ("CHF", "refund 120663, francs"),
        ("GBP", "it weighs two pounds"),
        ("SEK", "300 krona"),
        ("PEN", "the soles came off"),
        ("BRL", "not a real one"),
        ("KRW", "we won"),
        ("GBP", "EUR"),
        ("EUR", "I paid with a card"),
    ],
)
def test_a_word_or_what_may_be_several_currencies_grounds_none(code: str, text: str):
    assert not is_grounded(code, text)


def test_a_word_behind_a_number_is_a_currency_if_the_call_has_that_number():
    text = "refund 1500 try of 71083"
    assert is_grounded("TRY", text, amount=1500)
    assert not is_grounded("TRY", text)
    assert not is_grounded("TRY", "refund 71083 try again", amount=1500)


@pytest.mark.parametrize("amount", [float("inf"), float("nan"), 10**400, True, -1])
def test_any_number_beside_a_currency_is_read_without_raising(amount: Any):
    assert not is_grounded("TRY", "refund 1500 try", amount=amount)


def test_three_capitals_that_are_no_currency_are_read_as_any_code():
    assert is_grounded("LAX", "fly to lax")
    assert is_grounded("ALL", "show all", pattern="^(ALL|NEW)$")
    assert is_grounded("EUR", "in eur", pattern="^(EUR|USD)$")
    assert not is_grounded("TRY", "try it", pattern="^(EUR|USD|TRY)$")
    assert not is_grounded("ALL", "hello", pattern="^(")


def test_a_long_text_is_read_to_its_end():
    for text in ("1 " * 50_000, "try " * 25_000, "9" * 100_000, "TRY " * 25_000):
        assert not is_grounded("TRY", text, amount=7)
        assert is_grounded("TRY", f"{text}\n, and 7.50 try", amount=7)


def test_a_code_said_with_a_number_word_is_no_code_of_letters():
    desk = support_toolset().by_name["check_stock"]
    said = [Message("user", "the product number is sku A four that's the whole number")]
    assert ungrounded(Call("check_stock", {"sku": "SKU-AFOUR"}), desk, said)
    spelled = [Message("user", "s k u l o a f seven")]
    for sku in ("SKU-LOAF7", "SKU-L0AF7"):
        assert not ungrounded(Call("check_stock", {"sku": sku}), desk, spelled)
