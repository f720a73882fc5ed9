"""Numbers of a text that are plainly no identifier's: sums of money, dates, phone numbers, codes.

An identifier's constant head need not be said, so that "1234" alone gives ORD-1234. What is left
here is the text in which such a number may stand: "I want $1234 back", "placed on 14 June 2026",
"my phone is 555 1234" and "invoice INV-1234" give none. Pure functions.
"""

import re
from functools import cache, lru_cache

from gateway.grounding.number_words import SPOKEN_NUMBER, SPOKEN_UNIT
from gateway.grounding.readings import month_names

_CUT = " ; "
_SIGN = "[$€£¥₹]"
_MONEY = r"(?:dollars?|euros?|pounds?|bucks|quid|yen|rupees?|cents?|pence)\b"
_FIGURES = r"\d(?:[\d.,'’]*\d)?"
_DAY = rf"(?:\d{{1,2}}(?:st|nd|rd|th|er|º|\.)?|(?:the )?{SPOKEN_NUMBER})"
_YEAR = rf"(?:(?:19|20)\d\d|twenty[ -](?:twenty|thirty)(?:[ -]{SPOKEN_UNIT})?)(?!\w)"
_OF = r"[\s,.]{1,2}(?:(?:of|de|del) )?"
_DIALLED = r"[+(]?(?:\d[ ()./-]{0,2}){7,15}(?!\d)"
_PHONE = r"phone|mobile|cell|tel|fax"
_NO_HEADS = "NO|NR|ID"


@lru_cache(maxsize=4)
def without_other_numbers(text: str, head: str) -> str:
    """The text without the numbers that are no identifier with this head (`ORD-`)."""
    own = re.sub(r"[\W_]", "", head).upper()
    return _other_heads(own).sub(_CUT, _plain().sub(_CUT, text))


@cache
def _plain() -> re.Pattern[str]:
    months = "|".join(
        sorted({re.escape(name) for month in range(1, 13) for name in month_names(month)},
               key=len, reverse=True)
    )  # fmt: skip
    forms = (
        rf"{_SIGN}\s?{_FIGURES}",
        rf"(?<![\d.,'’]){_FIGURES}\s?(?:[$€£¥₹%](?!\s?\d)|{_MONEY})",
        rf"\b{SPOKEN_NUMBER}[\s-]{_MONEY}",
        rf"(?<!\w){_DAY}{_OF}(?:{months}){_OF}{_YEAR}",
        rf"(?<!\w)(?:{months}){_OF}(?:{_DAY}{_OF})?{_YEAR}",
        r"(?<![\d./-])\d{1,2}([./-])\d{1,2}\1(?:19|20)\d\d(?!\d)",
        r"(?<![\d./-])(?:19|20)\d\d([./-])\d{1,2}\2\d{1,2}(?!\d)",
        r"(?<![\d/])\d{1,2}/\d{1,2}/\d\d(?![\d/])",
        rf"\b(?:in|since|year) {_YEAR}",
        rf"\b(?:tele|mobile |cell )?(?:{_PHONE})\b\.?(?: (?:number|no\.?))?(?: is|:)? {_DIALLED}",
        rf"\b(?:call|ring|reach) me (?:back )?(?:on|at) {_DIALLED}",
    )
    return re.compile("|".join(forms), re.IGNORECASE)


@cache
def _other_heads(own: str) -> re.Pattern[str]:
    """Numbers behind a head in capitals that is neither "no" or its like nor the own one."""
    kept = "|".join([_NO_HEADS, *([re.escape(own)] if own else [])])
    return re.compile(rf"(?<![A-Za-z0-9])(?!{kept})[A-Z]{{2,4}}[-–_]?\d+")
