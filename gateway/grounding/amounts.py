"""Amounts: the numbers that a text writes, in any usual notation, or speaks.

- Decimals follow a point or a comma; thousands are set apart by a point, a comma, an apostrophe or
  a space, in India by a comma before every second digit, too. Where both readings are possible
  (12.345), both count. A row of whole numbers is also read as one number that was spaced out.
- A comma without a space sets a list apart if no decimals can stand behind it: 12345,67890.
- "20k", "1.5 million" and "2 lakh" are scaled. A negative amount has its sign.

Below stands the reading of spoken words. Pure functions.
"""

import re
from collections.abc import Iterator
from decimal import Decimal

from gateway.grounding.speech import spoken_numbers

_TOO_LARGE = 1e300
_SCALES = {
    "k": 3, "thousand": 3, "lakh": 5, "lakhs": 5, "m": 6, "mio": 6, "million": 6, "millions": 6,
    "crore": 7, "crores": 7, "bn": 9, "billion": 9, "billions": 9,
}  # fmt: skip
_SPACE = "[ \u00a0\u202f]"
_MINUS = r"(?P<minus>(?<!\w)[-−–](?:[$€£¥₹]\s?)?|\b(?:minus|negative)\s)?"
_SCALE = rf"(?:\s?(?P<scale>{'|'.join(_SCALES)})\b)?"
_ITEM, _SPACED = (
    re.compile(f"{_MINUS}(?P<figures>{figures}){_SCALE}", re.IGNORECASE)
    for figures in (
        r"\d(?:[\d.,'’]*\d)?",
        rf"(?<![\d.,'’])(?<!\d{_SPACE})\d+(?:{_SPACE}\d+)+(?:[.,]\d+)?(?!{_SPACE}?\d|[.,'’]\d)",
    )
)
_PLAIN = re.compile(r"\d+(?:[.,]\d+)?")
_GROUPED = re.compile(
    r"(\d{1,3}([.,'’])\d{3}(?:\2\d{3})*|\d\d?(?:,\d\d)+,\d{3})(?:(?!\2)[.,](\d+))?"
)
_LISTED = re.compile(r",(?!\d{3}(?!\d)|\d\d?(?![\d.]))")


def names_amount(text: str, amount: float) -> bool:
    """Whether the text holds a number in any usual notation: 12999.5, 12.999,50, 12 999.50."""
    if not abs(amount) < _TOO_LARGE:
        return False
    for pattern in (_ITEM, _SPACED):
        for match in pattern.finditer(text):
            if (amount >= 0 or match["minus"]) and _means(match, abs(amount)):
                return True
    return amount == int(amount) and str(int(amount)) in spoken_numbers(text)


def _means(match: re.Match[str], amount: float) -> bool:
    zeros = _SCALES.get((match["scale"] or "").casefold(), 0)
    for reading in _readings(re.sub(_SPACE, "", match["figures"])):
        for value in {Decimal(reading), Decimal(reading).scaleb(zeros)}:
            # A float stands for all decimals that round to it, an integer for itself alone.
            if (float(value) if isinstance(amount, float) else value) == amount:
                return True
    return False


def _readings(figures: str) -> Iterator[str]:
    """The numbers that figures and the signs between them may mean, as Python writes them."""
    if _PLAIN.fullmatch(figures):
        yield figures.replace(",", ".")
    if grouped := _GROUPED.fullmatch(figures):
        yield re.sub(r"\D", "", grouped[1]) + "." + (grouped[3] or "0")
    listed = _LISTED.split(figures)
    if len(listed) > 1:
        for item in listed:
            yield from _readings(item)
