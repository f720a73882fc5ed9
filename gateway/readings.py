"""The ways a person spells an identifier: spoken digits, dates, countries, amounts.

Each function answers one question about a text and is pure. Names of countries and months come
from the Unicode CLDR (through Babel), in English and in the languages spoken there.
"""

import re
from collections.abc import Iterator
from datetime import date
from functools import lru_cache

from babel import Locale
from babel.core import UnknownLocaleError
from babel.languages import get_official_languages

_UNITS = {
    "zero": 0, "oh": 0, "o": 0, "nought": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5,
    "six": 6, "seven": 7, "eight": 8, "nine": 9,
}  # fmt: skip
_TEENS = {
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15,
    "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
_TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fourty": 40, "fifty": 50, "sixty": 60,
    "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
_REPEATS = {"double": 2, "triple": 3, "treble": 3}
_ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7,
    "eighth": 8, "ninth": 9, "tenth": 10, "eleventh": 11, "twelfth": 12, "thirteenth": 13,
    "fourteenth": 14, "fifteenth": 15, "sixteenth": 16, "seventeenth": 17, "eighteenth": 18,
    "nineteenth": 19, "twentieth": 20, "thirtieth": 30,
}  # fmt: skip
_FILLERS = frozenset({"um", "uh", "er", "erm", "like", "then", "and", ",", "…"})
_SYMBOLS = {
    "at": "@", "dot": ".", "period": ".", "point": ".", "underscore": "_", "dash": "-",
    "hyphen": "-", "minus": "-", "plus": "+", "slash": "/",
}  # fmt: skip
_ALIASES = {
    "GB": ("uk", "u.k", "great britain", "britain", "england", "scotland", "wales",
           "northern ireland"),
    "US": ("usa", "u.s", "u.s.a", "america", "the states"),
    "AE": ("uae", "emirates"),
    "NL": ("holland", "the netherlands"),
    "CZ": ("czech republic",),
    "CI": ("ivory coast",),
    "TR": ("turkey",),
    "KR": ("korea",),
    "CD": ("dr congo", "democratic republic of the congo"),
    "CG": ("republic of the congo",),
    "MK": ("macedonia",),
    "SZ": ("swaziland",),
    "CV": ("cape verde",),
    "VA": ("vatican",),
    "BA": ("bosnia",),
    "VN": ("viet nam",),
    "MM": ("burma",),
}  # fmt: skip
_MONTH_LANGUAGES = (
    "en", "de", "fr", "es", "it", "pt", "nl", "pl", "cs", "sv", "da", "nb", "fi", "tr", "hu",
    "ro", "hr", "id", "uk", "ru",
)  # fmt: skip
_WORD = re.compile(r"[^\W\d_]+|\d+|[^\w\s]|_")


def spoken(text: str) -> str:
    """The text with number words as digits and spoken symbols as signs, all spaces dropped.

    "anna dot lee at web dot de" -> "anna.lee@web.de", "one two double seven" -> "1277".
    """
    plain = re.sub(r"[(\[{]\s*(at|dot)\s*[)\]}]", r" \1 ", text.casefold())
    # After a dot "at" is Austria's domain, not the sign.
    plain = re.sub(r"(?<=dot )at\b|(?<=\.)at\b", "\0", plain)
    words = list(_digitised(_WORD.findall(plain)))
    return "".join(_SYMBOLS.get(word, word) for word in words).replace("\0", "at")


def spoken_numbers(text: str) -> frozenset[str]:
    """Every number spoken in the text: "twelve thirty four" -> 1234, also read as 12 and 34."""
    found: set[str] = set()
    run: list[str] = []
    for word in [*_digitised(_WORD.findall(text.casefold())), "."]:
        if word.isdigit():
            run.append(word)
        elif word not in _FILLERS and word not in ("-", "_", "/", "dash", "hyphen", "space"):
            found.update(_joined(run))
            run = []
    return frozenset(found)


def _joined(parts: list[str]) -> Iterator[str]:
    for first in range(len(parts)):
        for last in range(first + 1, min(len(parts), first + 12) + 1):
            yield "".join(parts[first:last])


def _digitised(words: list[str]) -> Iterator[str]:
    """Number words -> digits: "forty five" -> 45, "double seven" -> 77."""
    index = 0
    while index < len(words):
        value, used = _number(words, index)
        yield value if used else words[index]
        index += max(used, 1)


def _number(words: list[str], index: int) -> tuple[str, int]:
    word = words[index]
    following = words[index + 1] if index + 1 < len(words) else ""
    if word in _REPEATS and (following in _UNITS or len(following) == 1):
        return str(_UNITS.get(following, following)) * _REPEATS[word], 2
    value, used = _small(words, index)
    if not used:
        return "", 0
    scale = words[index + used] if index + used < len(words) else ""
    if scale in ("hundred", "thousand"):
        total = int(value) * (100 if scale == "hundred" else 1000)
        used += 1
        if index + used < len(words) and words[index + used] == "and":
            used += 1
        rest, more = _number(words, index + used) if index + used < len(words) else ("", 0)
        if more and rest.isdigit() and int(rest) < (100 if scale == "hundred" else 1000):
            return str(total + int(rest)), used + more
        return str(total), used
    return value, used


def _small(words: list[str], index: int) -> tuple[str, int]:
    word = words[index]
    if word in _UNITS:
        return str(_UNITS[word]), 1
    if word in _TEENS:
        return str(_TEENS[word]), 1
    if word in _ORDINALS:
        return str(_ORDINALS[word]), 1
    if word in _TENS:
        step = 2 if index + 1 < len(words) and words[index + 1] == "-" else 1
        after = words[index + step] if index + step < len(words) else ""
        unit = _UNITS.get(after) or _ORDINALS.get(after)
        if unit and unit < 10 and after not in ("o", "oh"):
            return str(_TENS[word] + unit), step + 1
        return str(_TENS[word]), 1
    return "", 0


def names_date(text: str, day: date) -> bool:
    """Whether the text names a calendar day, in figures or words, with its year."""
    plain = text.casefold()
    d, m, y = day.day, day.month, day.year
    gap = r"\s?[-./]\s?"
    year = f"(?:{y}|{y % 100:02d})"
    figures = (
        f"{y}{gap}0?{m}{gap}0?{d}", f"0?{d}{gap}0?{m}{gap}{year}", f"0?{m}{gap}0?{d}{gap}{year}",
        f"{y}{m:02d}{d:02d}", f"{y}年{m}月{d}日",
    )  # fmt: skip
    if any(re.search(rf"(?<!\d){form}(?!\d)", plain) for form in figures):
        return True
    for reading in (plain, " ".join(_digitised(_WORD.findall(plain)))):
        reading = re.sub(rf"\b20 {y % 100:02d}\b", str(y), reading)
        if _names_day_in_words(reading, d, m, y):
            return True
    return False


def _names_day_in_words(text: str, d: int, m: int, y: int) -> bool:
    month = "|".join(re.escape(name) for name in _month_names(m))
    number = rf"(?<!\d)0?{d}(?:\s?(?:st|nd|rd|th|er|º|ª|°|ste|de|e|\.))?(?!\d)"
    between = r"[\s,.\-/']*(?:(?:of|the|de|del|di|of the|day|year|in|den|of)[\s,.\-/']*)*"
    year = rf"'?(?:{y}|{y % 100:02d})(?!\d)"
    orders = (
        rf"{number}{between}(?:{month}){between}{year}",
        rf"(?:{month}){between}{number}{between}{year}",
        rf"(?<!\d){y}{between}(?:{month}){between}{number}",
        rf"(?<!\d){y}{between}{number}{between}(?:{month})",
    )
    return any(re.search(order, text) for order in orders)


@lru_cache(maxsize=16)
def _month_names(month: int) -> tuple[str, ...]:
    names: set[str] = {"sept"} if month == 9 else set()
    for language in _MONTH_LANGUAGES:
        months = Locale.parse(language).months
        for context in ("format", "stand-alone"):
            for width in ("wide", "abbreviated"):
                name = months[context][width][month].casefold().rstrip(".")
                if not name.isdigit() and len(name) > 2:
                    names.add(name)
    return tuple(sorted(names, key=len, reverse=True))


def names_country(text: str, code: str) -> bool:
    """Whether the text names a country by ISO 3166-1 code (in capitals) or by name.

    Names count in English and in the country's own official languages.
    """
    if re.search(rf"(?<![A-Za-z]){re.escape(code)}(?![A-Za-z])", text):
        return True
    plain = _plain(text)
    return any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", plain) for name in _names(code))


@lru_cache(maxsize=512)
def _names(code: str) -> tuple[str, ...]:
    names = set(_ALIASES.get(code, ()))
    languages = ["en", *get_official_languages(code, regional=True, de_facto=True)]
    for language in languages:
        try:
            name = Locale.parse(language).territories.get(code)
        except (UnknownLocaleError, ValueError):
            continue
        if name:
            names.add(_plain(name))
            names.add(_plain(re.sub(r"\s*\(.*\)", "", name)))
    return tuple(names)


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text.casefold().replace("’", "'").replace("&", "and"))


def names_amount(text: str, amount: float) -> bool:
    """Whether the text holds a number in any usual notation: 12999.5, 12.999,50, 12 999.50."""
    for match in re.finditer(r"\d[\d.,' \u00a0\u202f]*", text):
        if any(abs(value - amount) < 1e-9 for value in _amounts(match[0])):
            return True
    return any(number == f"{amount:g}" for number in spoken_numbers(text))


def _amounts(written: str) -> Iterator[float]:
    compact = re.sub(r"[' \u00a0\u202f]", "", written).strip(".,")
    for decimal, thousands in ((".", ","), (",", ".")):
        candidate = compact.replace(thousands, "").replace(decimal, ".")
        if candidate.count(".") <= 1:
            yield float(candidate)
    yield float(re.sub(r"[.,]", "", compact))
    for part in re.findall(r"\d+", written):
        yield float(part)
