"""The ways a person writes a value: dates and countries.

Each function answers one question about a text and is pure. Names of countries and months come
from the Unicode CLDR (through Babel), in English and in the languages spoken there.
"""

import re
import unicodedata
from datetime import date
from functools import lru_cache

from babel import Locale
from babel.core import UnknownLocaleError
from babel.languages import get_official_languages

from gateway.grounding.speech import digitised

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
    "HK": ("hong kong",),
    "MO": ("macao", "macau"),
    "PS": ("palestine",),
    "MM": ("burma",),
}  # fmt: skip
_NO_COUNTRIES = (
    "new mexico", "new jersey", "new england", "new south wales",
    "north america", "central america", "south america", "latin america",
)  # fmt: skip
_STATES = frozenset({
    "AL", "AR", "AZ", "CA", "CO", "DE", "GA", "ID", "IL", "IN", "KY", "LA", "MA", "MD", "ME", "MN",
    "MO", "MS", "MT", "NC", "NE", "PA", "SC", "SD", "TN", "VA",
})  # fmt: skip
"""Codes of countries that stand before a number as a state of the USA (CA 90001), or as an ID."""
_MONTH_LANGUAGES = (
    "en", "de", "fr", "es", "it", "pt", "nl", "pl", "cs", "sv", "da", "nb", "fi", "tr", "hu",
    "ro", "hr", "id", "uk", "ru",
)  # fmt: skip


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
    for reading in (plain, digitised(plain)):
        reading = re.sub(rf"\b20 {y % 100:02d}\b", str(y), reading)
        if _names_day_in_words(reading, d, m, y):
            return True
    return False


def _names_day_in_words(text: str, d: int, m: int, y: int) -> bool:
    month = "|".join(re.escape(name) for name in month_names(m))
    number = rf"(?<!\d)0?{d}(?:\s?(?:st|nd|rd|th|er|º|ª|°|ste|de|e|\.))?(?!\d)"
    between = r"[\s,.\-/']*(?:(?:of|the|de|del|di|of the|day|year|in|den|of)[\s,.\-/']*)*"
    # Two figures are a year with an apostrophe, or where nothing is counted by them.
    short = rf"(?:'\s?{y % 100:02d}|{y % 100:02d}(?=[^\S\n]*(?:[,.;!?)\n]|$)))"
    year = rf"(?:{y}|{short})(?!\d|\s?[:.]\s?\d)"
    orders = (
        rf"{number}{between}(?:{month}){between}{year}",
        rf"(?:{month}){between}{number}{between}{year}",
        rf"(?<!\d){y}{between}(?:{month}){between}{number}",
        rf"(?<!\d){y}{between}{number}{between}(?:{month})",
    )
    return any(re.search(order, text) for order in orders)


@lru_cache(maxsize=16)
def month_names(month: int) -> tuple[str, ...]:
    """The names of a month (1 to 12) in small letters, the longest first."""
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
    if _has_code(text, code):
        return True
    said = plain_words(text)
    for name in _longer_names(code):
        said = re.sub(_as_name(name), " ; ", said)
    return any(re.search(_as_name(name), said) for name in _names(code))


def _has_code(text: str, code: str) -> bool:
    """Whether the code stands for the country: not for a unit (16 GB), nor for a state."""
    counted = "".join(rf"(?<!\D\d{{{figures}}}\s)" for figures in (1, 2, 3))
    numbered = r"(?!\s{0,2}[:#]?\s{0,2}[A-Z-]{0,8}\d)" if code in _STATES else ""
    whole = rf"(?<![A-Za-z0-9]){counted}{re.escape(code)}(?![A-Za-z]){numbered}"
    return re.search(whole, f" {text}") is not None


def _as_name(name: str) -> str:
    # Chinese, Japanese and Thai put no space between words.
    whole = name[0] < "\u0e00"
    return rf"(?<!\w){re.escape(name)}(?!\w)" if whole else re.escape(name)


@lru_cache(maxsize=512)
def _longer_names(code: str) -> tuple[str, ...]:
    """Names of other places that hold a name of this country: Papua New Guinea, New Mexico."""
    own = _names(code)
    others: set[str] = set(_NO_COUNTRIES)
    for other, name in Locale.parse("en").territories.items():
        if other != code and len(other) == 2:
            others.update({plain_words(name), *_ALIASES.get(other, ())})
    return tuple(
        other
        for other in sorted(others - set(own), key=len, reverse=True)
        if any(name != other and re.search(_as_name(name), other) for name in own)
    )


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
            names.add(plain_words(name))
            names.add(plain_words(re.sub(r"\s*\(.*\)", "", name)))
    return tuple(names)


def plain_words(text: str) -> str:
    """Small letters without accents, one space at most."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return re.sub(r"\s+", " ", bare.casefold().replace("’", "'").replace("&", "and"))
