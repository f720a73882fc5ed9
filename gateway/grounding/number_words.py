"""Number words: what a person says for one number, in figures.

Pure functions over the words of a text, in small letters. Above stands the reading of texts.
"""

from collections.abc import Callable

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
_SCALES = {"hundred": 100, "thousand": 1000}
REPEATS = {"double": 2, "triple": 3, "treble": 3}
_ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7,
    "eighth": 8, "ninth": 9, "tenth": 10, "eleventh": 11, "twelfth": 12, "thirteenth": 13,
    "fourteenth": 14, "fifteenth": 15, "sixteenth": 16, "seventeenth": 17, "eighteenth": 18,
    "nineteenth": 19, "twentieth": 20, "thirtieth": 30,
}  # fmt: skip
SPOKEN_UNIT = f"(?:{'|'.join([*_UNITS, *_ORDINALS])})"
"""A pattern of what may follow "twenty", and a little more."""
_WORDS = "|".join([*_UNITS, *_TEENS, *_ORDINALS, *_TENS])
_BELOW_HUNDRED = rf"(?:(?:{'|'.join(_TENS)})[ -]{SPOKEN_UNIT}|{_WORDS})\b"
SPOKEN_NUMBER = (
    rf"\b{_BELOW_HUNDRED}"
    rf"(?:[ -](?:{'|'.join(_SCALES)})\b(?: and\b)?(?: {_BELOW_HUNDRED})?){{0,3}}"
)
"""A pattern of the words of one number."""
_BEGIN_NUMBERS = frozenset({*_UNITS, *_TEENS, *_ORDINALS, *_TENS, *REPEATS})
_Read = Callable[[list[str], int], tuple[str, int]]
"""Reads the number at an index: its figures and how many words it takes; 0 if there is none."""


def spoken_number(words: list[str], index: int) -> tuple[str, int]:
    """The number whose words begin at an index: its figures, and how many words it takes.

    Nothing and 0 if none begins there. "double seven" is 77, "twelve hundred" 1200.
    """
    word = words[index]
    if word not in _BEGIN_NUMBERS:
        return "", 0
    following = words[index + 1] if index + 1 < len(words) else ""
    if word in REPEATS and (following in _UNITS or len(following) == 1):
        return str(_UNITS.get(following, following)) * REPEATS[word], 2
    return _scaled(words, index, "thousand", _hundreds)


def _hundreds(words: list[str], index: int) -> tuple[str, int]:
    return _scaled(words, index, "hundred", _small)


def _scaled(words: list[str], index: int, scale: str, read: _Read) -> tuple[str, int]:
    """What is read, its scale, and what is added to it: "two", "two hundred", "two hundred ten"."""
    value, used = read(words, index)
    if not used or words[index + used : index + used + 1] != [scale]:
        return value, used
    total, used = int(value) * _SCALES[scale], used + 1
    more = used + (words[index + used : index + used + 1] == ["and"])
    rest, taken = read(words, index + more) if index + more < len(words) else ("", 0)
    if taken and int(rest) < _SCALES[scale]:
        return str(total + int(rest)), more + taken
    return str(total), used


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
