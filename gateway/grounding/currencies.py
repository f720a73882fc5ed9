"""Currencies: whether a text names one, by its ISO 4217 code, its name or its sign.

- A code counts in capitals or small letters, and spelled ("g b p"). One that is a word as well
  (try, all, top) counts in capitals that are no shouting, spelled, or behind an amount ("35 try").
- A name counts if it is one currency's alone: "euros", "yen", "US dollars", "Swiss francs", but
  neither "dollars" nor "francs". So does a sign: €, but neither $ nor £.

An amount has cents, or is among the numbers that the call itself carries: the number before "all"
in "refund 71083 all of it" is none. Names come from the Unicode CLDR (through Babel), in English.
Pure functions.
"""

import re
from collections.abc import Collection, Iterator
from functools import cache

from babel import Locale
from babel.core import get_global
from babel.numbers import get_currency_name

from gateway.grounding.amounts import names_amount
from gateway.grounding.readings import plain_words

_WORDS = frozenset({
    "ALL", "BAM", "BOB", "COP", "CUP", "GEL", "MAD", "MOP", "MUR", "PEN", "RUB", "SOS", "TOP",
    "TRY",
})  # fmt: skip
"""Codes in use that are words as well; those out of use (BAD, SIT) are all taken for words."""
_OTHER_NAMES = {
    "USD": ("american dollar", "american dollars", "u.s. dollar", "u.s. dollars"),
    "GBP": ("pound sterling", "pounds sterling"),
    "CNY": ("renminbi",),
}
_NO_UNITS = frozenset({
    "colon", "colons", "cordoba", "dong", "dram", "drams", "gold", "kip", "kips", "leone", "leones",
    "mark", "marks", "rand", "real", "reals", "sol", "soles", "som", "soms", "won",
})  # fmt: skip
"""Units that mean something else as well; with their country before them they are names."""
_SIGNS = {
    "EUR": "€", "ILS": "₪", "INR": "₹", "NGN": "₦", "PHP": "₱", "RUB": "₽", "TRY": "₺", "UAH": "₴",
    "VND": "₫",
}  # fmt: skip
_END = r"(?!\w)(?![-.@]\w)"
_BESIDE = 40
_CENTS = re.compile(r"[.,]\d\d$")


@cache
def everyday_codes() -> tuple[str, ...]:
    """The codes in use that are no words, so that small letters name them too."""
    return tuple(sorted(_in_use() - _WORDS))


def is_currency(value: str, pattern: str) -> bool:
    """Whether a value of a pattern is a currency's code: the pattern takes others of them, too."""
    if value not in _codes():
        return False
    try:
        return any(re.search(pattern, code) for code in everyday_codes() if code != value)
    except re.error:
        return False


def names_currency(text: str, code: str, amounts: Collection[float]) -> bool:
    """Whether the text names a currency; `amounts` are the numbers of the call."""
    if _spelled(text, code) or _behind_amount(text, code, amounts):
        return True
    if code in _SIGNS and _SIGNS[code] in text:
        return True
    said = plain_words(text)
    if any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", said) for name in _names(code)):
        return True
    is_word = code in _WORDS or code not in _in_use()
    if not is_word:
        return re.search(rf"(?<!\w){code}{_END}", text, re.IGNORECASE) is not None
    found = re.finditer(rf"(?<![\w-]){code}{_END}", text)
    return any(not _shouted(text, match) for match in found)


def _spelled(text: str, code: str) -> bool:
    letters = r"[\s.\-]{1,2}".join(code)
    return re.search(rf"(?<![\w'’]){letters}(?!\w)", text, re.IGNORECASE) is not None


def _behind_amount(text: str, code: str, amounts: Collection[float]) -> bool:
    written = rf"(\d(?:[\d.,' \u00a0\u202f]{{0,20}}\d)?)[ \u00a0\u202f]?{code}(?!\w)"
    return any(
        _CENTS.search(match[1]) or any(names_amount(match[1], amount) for amount in amounts)
        for match in re.finditer(written, text, re.IGNORECASE)
    )


def _shouted(text: str, match: re.Match[str]) -> bool:
    """Whether a word beside the match stands in capitals, too; another code is none."""
    start, end = max(match.start() - _BESIDE, 0), match.end() + _BESIDE
    before = re.search(r"(?<!\w)([^\W\d_]{2,30})\W{1,9}$", text[start : match.start()])
    after = re.match(r"\W{1,9}([^\W\d_]{2,30})(?!\w)", text[match.end() : end])
    beside = [found[1] for found in (before, after) if found]
    return any(word.isupper() and word not in _codes() - _WORDS for word in beside)


@cache
def _codes() -> frozenset[str]:
    return frozenset(str(code) for code in Locale.parse("en").currencies)


@cache
def _in_use() -> frozenset[str]:
    """The codes that are legal tender somewhere today."""
    by_territory = get_global("territory_currencies").values()
    return frozenset(
        code for spans in by_territory for code, _, until, tender in spans if tender and not until
    )


@cache
def _names(code: str) -> frozenset[str]:
    """A currency's names, in full and, where no other in use shares it, its unit's alone."""
    if code not in _in_use():
        return frozenset(_full_names(code))
    others = {_unit(name) for other in _in_use() - {code} for name in _full_names(other)}
    units = {_unit(name) for name in _full_names(code)}
    return frozenset({*_full_names(code), *(units - others - _NO_UNITS)})


def _full_names(code: str) -> Iterator[str]:
    for count in (None, 1, 2):
        yield plain_words(get_currency_name(code, count=count, locale="en"))
    yield from _OTHER_NAMES.get(code, ())


def _unit(name: str) -> str:
    return name.rpartition(" ")[2]
