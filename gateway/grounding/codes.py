"""Codes: identifiers of letters and digits, as a text writes them or says them in parts.

Each function answers one question about a text and is pure. Below stands the reading of spoken
words; above, grounding and what the grammar offers, so that both read a code by the same rule.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.grounding.speech import Token, one_row, read_tokens

_BETWEEN = frozenset({"-", "‐", "‑", "–", "—", "_", "/", "."})
"""Signs that may stand within a code."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A written word: what it says without its signs.

    `one_kind` says that it is all letters or all figures, `ends` that a sign behind it (a comma, a
    full stop before a space) closes a code.
    """

    said: tuple[Token, ...]
    one_kind: bool
    ends: bool

    @property
    def text(self) -> str:
        return "".join(token.text for token in self.said)


def codes(text: str, head: str, longest: int) -> frozenset[str]:
    """Every code that the text says in parts behind its head: "s k u mug one two" gives mug12.

    A part is a written word, of letters alone or of figures alone; after figures come only figures
    and single letters, so "sku x 9 in Porto" gives x9 and no x9in. A word that mixes both, or
    that carries the head, is a code of its own: to SKU-X9 nothing is added over a space. A code
    that ends in a digit is not cut out of a longer row of spoken digits.

    `head` is bare (no signs, small letters) and may be spelled in the text; where it is empty, a
    code begins anywhere. Codes are at most `longest` characters long and in small letters.

    A number word is a number: "sku a four" gives a4 and no afour. Only a spelled o may be both.
    """
    found: set[str] = set()
    for o_is_zero in (False, True):
        parts = _parts(read_tokens(text.casefold(), o_is_zero=o_is_zero))
        for first in range(len(parts)):
            behind = _behind_head(parts, first, head)
            if behind is not None:
                found.update(_codes_from(parts, behind, longest))
    return frozenset(found)


def joined_words(text: str, longest: int) -> frozenset[str]:
    """What the text writes without a space between, and its neighbouring numbers, put together.

    Signs are left out, figures stand as written and as spoken, and nothing is longer than
    `longest` characters: all that `spoken_numbers` could find is among it.
    """
    found: set[str] = set()
    for tokens in (read_tokens(text, figures=False), read_tokens(text.casefold())):
        words = [token for token in tokens if token.text.isalnum()]
        for first in range(len(words)):
            made = ""
            for word in words[first:]:
                numbers = made.isdecimal() and word.text.isdecimal()
                if made and not (word.glued or numbers):
                    break
                made += word.text
                if len(made) > longest:
                    break
                found.add(made)
    return frozenset(found)


def _parts(tokens: list[Token]) -> list[_Part]:
    """The text's written words; signs that may stand between two of a code's are left out."""
    parts: list[_Part] = []
    first = 0
    for last in range(1, len(tokens) + 1):
        if last < len(tokens) and tokens[last].glued:
            continue
        run = tokens[first:last]
        first = last
        words = [index for index, token in enumerate(run) if token.text.isalnum()]
        if not words:
            if not all(token.text in _BETWEEN for token in run):
                parts.append(_Part((), False, True))
            continue
        inner = run[words[0] : words[-1] + 1]
        said = tuple(token for token in inner if token.text.isalnum())
        text = "".join(token.text for token in said)
        joined = all(token.text.isalnum() or token.text in _BETWEEN for token in inner)
        one_kind = joined and (text.isalpha() or text.isdecimal())
        ends = any(token.text not in _BETWEEN - {"."} for token in run[words[-1] + 1 :])
        parts.append(_Part(said, one_kind, ends))
    return parts


def _behind_head(parts: list[_Part], first: int, head: str) -> int | None:
    """Where a code may begin whose head begins at `first`; None if no head stands there."""
    if not head:
        return None if first and _one_row(parts[first - 1], parts[first]) else first
    said = ""
    for index in range(first, len(parts)):
        said += parts[index].text
        # A spelled o was read as a zero.
        if said.replace("o", "0") == head.replace("o", "0"):
            return index + 1
        if not said or not head.replace("o", "0").startswith(said.replace("o", "0")):
            return None
    return None


def _codes_from(parts: list[_Part], first: int, longest: int) -> Iterator[str]:
    made, figures = "", False
    for index in range(first, len(parts)):
        part = parts[index]
        is_word = not part.text.isdecimal() and len(part.text) > 1
        made += part.text
        if not part.one_kind or (figures and is_word) or len(made) > longest:
            return
        if part.ends or index + 1 == len(parts) or not _one_row(part, parts[index + 1]):
            yield made
        if part.ends:
            return
        figures = figures or part.text.isdecimal()


def _one_row(left: _Part, right: _Part) -> bool:
    """Whether a row of spoken digits goes on from one part to the next."""
    return bool(left.said and right.said) and one_row(left.said[-1], right.said[0])
