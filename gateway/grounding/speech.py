"""The ways a person says an identifier: digits and e-mail addresses in spoken words.

Each function answers one question about a text and is pure. A text is read as tokens (words,
numbers, signs), and an identifier must be made of whole ones. Codes of letters and digits stand in
`gateway.grounding.codes`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

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
_JOINING = frozenset({".", "-", "_", "+"})
_WORD = re.compile(r"[^\W\d_]+|\d+|[^\w\s]|_")


@dataclass(frozen=True, slots=True)
class Token:
    """A word, number or sign of a text, a spoken number or sign already turned into figures.

    `glued` says that no space stands before it, `said` that it was spoken, `loose` that it may be
    no digit at all ("the other one", "oh my").
    """

    text: str
    glued: bool
    said: bool
    loose: bool = False


def plain_digits(text: str) -> str:
    """The text with the digits of every script as 0 to 9."""
    return text if text.isascii() else re.sub(r"\d", lambda match: str(int(match[0])), text)


def spells_email(text: str, address: str) -> bool:
    """Whether the text gives an e-mail address whole, written or spoken.

    "anna dot lee at web dot de" gives anna.lee@web.de, but neither lee@web.de nor anna.lee@web.d.
    """
    plain = re.sub(r"[(\[{]\s*(at|dot)\s*[)\]}]", r" \1 ", text.casefold())
    # After a dot "at" is Austria's domain, not the sign.
    plain = re.sub(r"(?<=dot )at\b|(?<=\.)at\b", "\0", plain)
    # Figures are read as they stand, too: the o of p.o.brien@web.de is no zero.
    return any(
        not _goes_on_before(tokens, first) and not _goes_on_after(tokens, last)
        for tokens in (read_tokens(plain), read_tokens(plain, figures=False))
        for first, last in _spans(tokens, address.casefold())
    )


def spoken_numbers(text: str) -> frozenset[str]:
    """Every number spoken in the text: "twelve thirty four" -> 1234, also read as 12 and 34.

    A row of single digits is one number: "one two three four five" does not give 1234. Numbers
    that are only written are none of these.
    """
    found: set[str] = set()
    run: list[Token] = []
    for token in [*read_tokens(text.casefold()), Token(".", False, False)]:
        if token.text.isdecimal():
            run.append(token)
        elif token.text not in _FILLERS and token.text not in ("-", "_", "/", "space"):
            found.update(_joined(run))
            run = []
    return frozenset(found)


def digitised(text: str) -> str:
    """The text with number words as digits: "the twenty first" -> "the 21"."""
    return " ".join(token.text for token in read_tokens(text, signs=False))


def read_tokens(
    text: str, *, figures: bool = True, signs: bool = True, o_is_zero: bool = True
) -> list[Token]:
    """The text's words, numbers and signs.

    Spoken numbers are figures and spoken signs ("dash") signs, unless `figures` or `signs` says
    not to; without `o_is_zero` a spelled o stays a letter.
    """
    words = list(_WORD.finditer(text))
    plain = [match[0] for match in words]
    tokens: list[Token] = []
    index = 0
    while index < len(words):
        value, used = _number(plain, index) if figures else ("", 0)
        written = plain[index]
        if not o_is_zero and plain[index + max(used, 1) - 1] == "o" and _spells(written):
            value = value.replace("0", "o")
        shown = value if used else _SYMBOLS.get(written, written) if signs else written
        shown = "at" if written == "\0" else shown
        glued = index > 0 and words[index - 1].end() == words[index].start()
        said = shown != written and written != "\0"
        tokens.append(Token(shown, glued, said, _is_loose(plain, index)))
        index += max(used, 1)
    return tokens


def _spells(word: str) -> bool:
    """Whether what a word begins is one letter or figure, perhaps repeated."""
    return word == "o" or word in _REPEATS


def _is_loose(words: list[str], index: int) -> bool:
    before = words[index - 1] if index else ""
    after = words[index + 1] if index + 1 < len(words) else ""
    if words[index] == "one":
        return before in ("the", "this", "that", "other", "another", "which") or after == "of"
    return words[index] == "oh" and not _number(words, index + 1)[1] if after else False


def _spans(tokens: list[Token], wanted: str) -> Iterator[tuple[int, int]]:
    """The stretches of whole tokens that, put together, are the wanted text."""
    for first in range(len(tokens)):
        rest, last = wanted, first
        while rest and last < len(tokens) and rest.startswith(tokens[last].text):
            rest = rest[len(tokens[last].text) :]
            last += 1
        if not rest:
            yield first, last


def _goes_on_before(tokens: list[Token], first: int) -> bool:
    if first == 0:
        return False
    previous, own = tokens[first - 1], tokens[first]
    if previous.said:
        return previous.text in _JOINING
    return own.glued and (previous.text in _JOINING or previous.text.isalnum())


def _goes_on_after(tokens: list[Token], last: int) -> bool:
    if last == len(tokens):
        return False
    sign = tokens[last]
    if sign.text.isalnum():
        return sign.glued
    more = last + 1 < len(tokens) and tokens[last + 1].text.isalnum()
    return (
        sign.text in (".", "-", "_", "@")
        and more
        and (sign.said or (sign.glued and tokens[last + 1].glued))
    )


def one_row(left: Token, right: Token) -> bool:
    """Whether two neighbours are single digits of which one was spoken, so belong together."""
    pair = (left, right)
    return (
        all(len(token.text) == 1 and token.text.isdecimal() for token in pair)
        and any(token.said for token in pair)
        and not any(token.loose for token in pair)
    )


def _joined(run: list[Token]) -> Iterator[str]:
    for first in range(len(run)):
        if first and one_row(run[first - 1], run[first]):
            continue
        for last in range(first + 1, min(len(run), first + 12) + 1):
            said = any(token.said for token in run[first:last])
            if said and not (last < len(run) and one_row(run[last - 1], run[last])):
                yield "".join(token.text for token in run[first:last])


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
        if more and rest.isdecimal() and int(rest) < (100 if scale == "hundred" else 1000):
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
