"""Masks: a request with everything that could be swapped taken out, so that its form is left.

Two requests have the same masked form if they differ only in numbers, names, dates, e-mail
addresses, codes or quoted names, in upper and lower case or in punctuation. A form is a tuple of
words: small letters are words of the request, `<order_id>` stands for the value of an argument of
the row's own target, capitals (`NUMBER`, `DATE`) for what was recognised by its looks.

What a mask keeps, so that two forms are only equal where the requests are alike:

- free text (`reason`, `query`): it is the wording itself, and a request that is nothing but its
  query would otherwise equal all others of its kind;
- a day without a year (`DAY`) beside one with it (`DATE`): only the latter can be called with;
- shouted words: upper case makes a code only together with a digit or a hyphen;
- the first word of a sentence, whose capital says nothing, and all words of a text that writes
  most of them with a capital.

Pure functions. Numbers are read as `gateway.grounding.speech` reads them, so spoken ones count as
written.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from babel import Locale

from gateway.arguments import arguments
from gateway.grounding.ground import identifiers
from gateway.grounding.speech import digitised, plain_digits
from gateway.types import Toolset
from training.check.arguments import is_free_text
from training.rows import Row

Form = tuple[str, ...]
Conversation = tuple[tuple[str, str], ...]

# Characters of the private use area pass `digitised` as signs of their own. A found kind is noted
# behind each of its words, so that a target's value can still be found across them.
_ALONE = {"\ue000": "EMAIL", "\ue001": "DATE"}
_BEHIND = {"\ue002": "QUOTED", "\ue003": "CODE", "\ue004": "NAME"}
_EMAIL, _DATE = _ALONE
_QUOTED, _CODE, _NAME = _BEHIND
_NOTE = "[\ue002-\ue004]"
_QUOTED_WORDS = 4
_LOOK_BACK = 8
_MONTH_LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "pl", "sv", "da")

_WITH_NOTE = {kind: re.compile(rf"(?<!\S)[^\s<>]+ {sign}(?!\S)") for sign, kind in _BEHIND.items()}
_NUMBER = re.compile(r"(?<!\S)\d+(?: (?:st|nd|rd|th))?(?!\S)")
_PIECE = re.compile(r"[^\W\d_]+|\d+")
_ADDRESS = re.compile(r"[\w.+-]+\s?(?:@|[(\[](?:at|@)[)\]])\s?[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)
_FIGURES = re.compile(r"(?<![\d./-])\d{1,4}([./-])\d{1,2}\1(?:\d{4}|\d{2})(?![\d/-]|\.\d)")
_IN_QUOTES = re.compile(
    r"(?<![\w:{\[,])([\"'“„«‘])(?=\w)([^\"'“”„«»‘’!?\n]{1,40})([\"'”“»’])(?![\w:])"
)
_IS_CODE = re.compile(
    r"(?<![\w-])(?=[\w-]*\d)(?=[\w-]*[^\W\d_])[^\W_][\w-]*"
    r"|(?<![\w-])[A-Z]{2,}(?:[-_][A-Z]+)+(?![\w-])"
)
_HEAD = re.compile(r"[^\W\d_]{2,5}[-_](?:\d+$)?")
_HONORIFIC = re.compile(r"\b(Mr|Mrs|Ms|Dr|Prof|Rev|St)\.")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_SENTENCE_STARTS = re.compile(r"(?:^|[.!?:;…\n>*|•({\[\"“„«])[\s\"'“„«(>*-]*$")
_SPOKEN_ADDRESS = re.compile(
    r"(?<!\S)\w+(?: (?:dot|point|underscore|dash|hyphen|minus) \w+)*"
    r" at \w+(?: (?:dot|dash|hyphen) \w+)+(?!\S)"
)


@dataclass(frozen=True)
class Masked:
    """A row with its masks.

    `form` is what the user says in all turns, masked with the values of the row's target too.
    `plain` is the whole conversation with its roles, masked by looks alone: it does not depend on
    the target, so that rows with contradictory targets share it. `offer` is the fingerprint of the
    tools that were on offer. `place` is the row's file and line, or its number in its split.
    """

    row: Row
    split: str
    place: str
    form: Form
    plain: Form
    offer: str

    @property
    def conversation(self) -> Conversation:
        """The turns without system messages: what makes two texts equal."""
        turns = self.row.messages
        return tuple((m.role, m.content.strip()) for m in turns if m.role != "system")


def masked(row: Row, toolset: Toolset, split: str, number: int) -> Masked:
    """Mask a row, the `number`-th of its split; `toolset` is on offer unless it carries its own."""
    turns = [(turn.role, _noted(turn.content)) for turn in row.messages if turn.role != "system"]
    said = " ".join(noted for role, noted in turns if role == "user")
    plain = [(f"{role}:", *_closed(noted, ())) for role, noted in turns]
    offered = row.offered or toolset
    return Masked(
        row=row,
        split=split,
        place=row.place or f"{split} row {number}",
        form=_closed(said, _values(row, offered)),
        plain=tuple(word for turn in plain for word in turn),
        offer=offered.fingerprint,
    )


def _noted(text: str) -> str:
    """Words in small letters with spoken numbers in figures, each recognised kind noted."""
    text = plain_digits(unicodedata.normalize("NFKC", text))
    text = _HONORIFIC.sub(r"\1", text)
    text = _ADDRESS.sub(f" {_EMAIL} ", text)
    text = _FIGURES.sub(f" {_DATE} ", text)
    words = digitised(_with_kinds(text).casefold())
    words = re.sub(r"[^\w\ue000-\ue004]+|_", " ", words)
    words = _dates().sub(lambda found: " DATE " if found["year"] else " DAY ", words)
    return " ".join(_SPOKEN_ADDRESS.sub(f" {_EMAIL} ", words).split())


def _with_kinds(text: str) -> str:
    spans: list[tuple[int, int, str]] = []
    for kind, found in ((_QUOTED, _quoted(text)), (_CODE, _codes(text)), (_NAME, _names(text))):
        spans += [
            (first, last, kind)
            for first, last in found
            if all(last <= begin or end <= first for begin, end, _ in spans)
        ]
    for first, last, kind in sorted(spans, reverse=True):
        text = text[:first] + _PIECE.sub(rf"\g<0>{kind}", text[first:last]) + text[last:]
    return text


def _quoted(text: str) -> Iterator[tuple[int, int]]:
    for found in _IN_QUOTES.finditer(text):
        if len(found[2].split()) <= _QUOTED_WORDS:
            yield found.span()


def _codes(text: str) -> Iterator[tuple[int, int]]:
    for found in _IS_CODE.finditer(text):
        # "3rd", "5pm" and "12kg" are numbers with a word behind them.
        if not re.fullmatch(r"\d+[a-z]{1,3}", found[0]):
            head = _HEAD.match(found[0])
            yield found.start() + (head.end() if head else 0), found.end()


def _names(text: str) -> list[tuple[int, int]]:
    words = [w for w in _WORD.finditer(text) if len(w[0]) > 1 and not re.match(r"I['’]", w[0])]
    capital = [w for w in words if w[0][0].isupper() and any(c.islower() for c in w[0])]
    before = {w: text[max(w.start() - _LOOK_BACK, 0) : w.start()] for w in capital}
    inside = [w for w in capital if not _SENTENCE_STARTS.search(before[w])]
    return [] if len(inside) * 2 > len(words) > 3 else [w.span() for w in inside]


@lru_cache(maxsize=1)
def _dates() -> re.Pattern[str]:
    """Days in words: "3 june 2026", "june the 3 rd", with a year (20 26 is a spoken one) or not."""
    names = {"sept"}
    for language in _MONTH_LANGUAGES:
        months = Locale.parse(language).months["format"]
        for width in ("wide", "abbreviated"):
            names.update(name.casefold().rstrip(".") for name in months[width].values())
    longest_first = sorted((n for n in names if len(n) > 2), key=lambda n: (-len(n), n))
    month = rf"(?:{'|'.join(map(re.escape, longest_first))})(?: {_NOTE})?"
    day = r"\d{1,2}(?: (?:st|nd|rd|th|de|er))?"
    between = r"(?: (?:of|the|de|in))*"
    year = r"(?:(?:19|20)\d\d|20 \d\d|\d\d)"
    orders = (
        rf"(?:{day}{between} {month}|{month}{between} {day})(?:{between} (?P<year>{year}))?(?!\S)"
    )
    return re.compile(rf"(?<!\S){orders}")


def _values(row: Row, offered: Toolset) -> list[tuple[str, str]]:
    """Letters and figures of each of the target's values with its argument, the longest first."""
    found: dict[str, str] = {}
    for call in row.calls:
        tool = offered.by_name[call.tool]
        heads = {item.pointer: item.head for item in identifiers(call, tool)}
        for argument in arguments(call, tool):
            if not is_free_text(argument, row.accept):
                for spelling in _spellings(argument.value, heads.get(argument.pointer, "")):
                    found.setdefault(_letters(spelling), argument.name)
    return sorted(found.items(), key=lambda item: (-len(item[0]), item[0]))


def _spellings(value: str | int | float, head: str) -> Iterable[str]:
    """Ways to write a value; the head of an identifier (`ORD-`) need not be said."""
    if isinstance(value, str):
        # Two letters are as likely a word ("IT", "to") as the value.
        return {value, value[len(head) :]} if sum(map(str.isalnum, value)) > 2 else ()
    return {f"{value:.12g}", f"{value:.2f}"}


def _letters(text: str) -> str:
    words = digitised(plain_digits(unicodedata.normalize("NFKC", text)).casefold())
    return "".join(c for c in words if c.isalnum())


def _closed(noted: str, values: Iterable[tuple[str, str]]) -> Form:
    """Put placeholders where values and recognised kinds stand."""
    words = noted.split()
    for letters, name in values:
        words = list(_with_value(words, letters, f"<{name}>"))
    noted = " ".join(words)
    for kind, pattern in _WITH_NOTE.items():
        noted = pattern.sub(kind, noted)
    for sign, kind in _ALONE.items():
        noted = noted.replace(sign, kind)
    return tuple(_collapsed(_NUMBER.sub("NUMBER", noted).split()))


def _with_value(words: Sequence[str], letters: str, placeholder: str) -> Iterator[str]:
    """The words with each stretch of whole ones that spells the value replaced."""
    start = 0
    while start < len(words):
        end = _end_of(words, start, letters)
        yield placeholder if end else words[start]
        start = end or start + 1


def _end_of(words: Sequence[str], start: int, letters: str) -> int:
    """Where the stretch ends that spells `letters` from `start` on, notes included; 0 if none."""
    rest, end = letters, start
    while rest and end < len(words) and (words[end] in _BEHIND or rest.startswith(words[end])):
        if words[end] not in _BEHIND:
            rest = rest[len(words[end]) :]
        elif end == start:
            return 0
        end += 1
    if rest or not letters:
        return 0
    while end < len(words) and words[end] in _BEHIND:
        end += 1
    return end


def _collapsed(words: Iterable[str]) -> Iterator[str]:
    """Runs of one placeholder as one: how many words a name has says nothing of the request."""
    previous = ""
    for word in words:
        if word != previous or not (word.isupper() or word.startswith("<")):
            yield word
        previous = word
