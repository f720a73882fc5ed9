"""The ways a person says an identifier: digits and e-mail addresses in spoken words.

Each function answers one question about a text and is pure. A text is read as tokens (words,
numbers, signs), and an identifier must be made of whole ones. Codes of letters and digits stand in
`gateway.grounding.codes`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.grounding.number_words import REPEATS, spoken_number

_FILLERS = frozenset({"um", "uh", "er", "erm", "like", "then", "and", ",", "…"})
_SYMBOLS = {
    "at": "@", "dot": ".", "period": ".", "point": ".", "underscore": "_", "dash": "-",
    "hyphen": "-", "minus": "-", "plus": "+", "slash": "/",
}  # fmt: skip
_JOINING = frozenset({".", "-", "_", "+"})
_MAX_CHARACTERS = 50_000
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


def recent(text: str) -> str:
    """The last 50,000 characters of a text: all that is read closely, for nobody speaks more."""
    if len(text) <= _MAX_CHARACTERS:
        return text
    # A word or number that is cut is none.
    return "".join(text[-_MAX_CHARACTERS:].split(maxsplit=1)[1:])


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
    """The words, numbers and signs of what is read of a text (`recent`).

    Spoken numbers are figures and spoken signs ("dash") signs, unless `figures` or `signs` says
    not to; without `o_is_zero` a spelled o stays a letter.
    """
    words = list(_WORD.finditer(recent(text)))
    plain = [match[0] for match in words]
    tokens: list[Token] = []
    index = 0
    while index < len(words):
        value, used = spoken_number(plain, index) if figures else ("", 0)
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
    return word == "o" or word in REPEATS


def _is_loose(words: list[str], index: int) -> bool:
    before = words[index - 1] if index else ""
    after = words[index + 1] if index + 1 < len(words) else ""
    if words[index] == "one":
        return before in ("the", "this", "that", "other", "another", "which") or after == "of"
    return words[index] == "oh" and not spoken_number(words, index + 1)[1] if after else False


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
