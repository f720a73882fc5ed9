"""Amounts: every usual notation of a number gives it, and no other number."""

import pytest

from gateway.grounding.amounts import names_amount


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (12345.67, "12345.67 of it"),
        (12345.67, "12,345.67"),
        (12345.67, "12.345,67 EUR"),
        (12345.67, "12 345.67"),
        (12345.67, "CHF 12'345.670"),
        (12345, "12345.00"),
        (12345.0, "12345"),
        (12345, "12.345"),
        (12.345, "12.345"),
        (1.23456, "1,23456"),
        (12345678, "1,23,45,678"),
        (100000, "1,00,000.00"),
        (12345678, "12 345 678"),
        (5551234567, "555 123 4567"),
        (12345, "[12345,67890,11111]"),
        (67890, "[12345,67890,11111]"),
        (37.7749, "[-122.4194,37.7749]"),
        (12345, "ORD-12345, please"),
        (20000, "10000-20000"),
        # signs
        (-122.4194, "[-122.4194,37.7749]"),
        (-12999.5, "a balance of −12999.50"),
        (-12999.5, "-$12,999.50"),
        (-12999, "minus 12999"),
        (12999, "-12999"),
        # scales
        (20000, "20k"),
        (12500, "12.5k"),
        (12000, "12 thousand"),
        (1500000, "1.5 million"),
        (1500000, "1,5 Mio"),
        (150000, "1.5 lakh"),
        (12345, "12345 m of rope"),
        # spoken
        (12000, "twelve thousand"),
        (123456, "one hundred twenty three thousand four hundred fifty six"),
        (200000, "two hundred thousand"),
        (120500, "one hundred and twenty thousand and five hundred"),
    ],
)
def test_a_usual_notation_gives_the_amount(amount: float, text: str):
    assert names_amount(text, amount)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (1234567, "12345.67"),
        (12345, "12345.67"),
        (12345, "12345,67 EUR"),
        (1234500, "12345.00"),
        (12345, "12,345,000"),
        (234.56, "1,234.56"),
        (12345678, "1234, 5678"),
        (1234.5678, "1234, 5678"),
        (123456, "1.23456"),
        (12345, "0.12345"),
        (1921681, "192.168.1"),
        (20270614, "2027.06.14"),
        (345678, "12 345 678"),
        (12345, "12 345 678"),
        (12345678901234567, "12345678901234568"),
        (-12999.5, "12999.50"),
        (-37.7749, "-122.4194 37.7749"),
        (-34567, "12-34567"),
        (12000, "12 kg"),
        (30594000, "order 30594, 20k"),
        (23456, "one hundred twenty three thousand four hundred fifty six"),
        (200, "two hundred thousand"),
        (float("nan"), "nan"),
    ],
)
def test_no_other_amount_is_given(amount: float, text: str):
    assert not names_amount(text, amount)


@pytest.mark.parametrize(
    "text",
    ["1 " * 50_000, "1." * 50_000, "9" * 100_000, "12,345," * 15_000, "one thousand " * 8_000],
)
def test_a_long_text_is_read_to_its_end(text: str):
    assert not names_amount(text, -7654321)
    assert names_amount(f"{text}\nand -7654321", -7654321)
