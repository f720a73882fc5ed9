"""Fresh identifiers: the same request with other numbers, so that copying is learned, not recall.

A row is seen in several passes. From the second on its identifiers are replaced, in the request
and in the answer alike, by others of the same shape: a digit by a digit, a vowel by a vowel, a
consonant by a consonant, each in its case. What grounding calls an identifier and a pattern
describes is replaced if its changing part (`1234` of `ORD-1234`) stands in the conversation;
everything else, spoken numbers for one, stays as it was written. A currency is replaced by another
that its pattern takes, and only if the conversation names neither in a second way ("euros").
"""

import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from gateway.grounding.currencies import everyday_codes, is_currency, names_currency
from gateway.grounding.ground import identifiers, ungrounded
from gateway.types import Call, Toolset
from gateway.validate import ToolValidator
from training.rows import Row

_MIN_LENGTH = 3
_VOWELS = "aeiou"
_CONSONANTS = "bcdfghjklmnpqrstvwxyz"
_DIGITS = "0123456789"


class Refresher:
    """Replaces the identifiers of rows of one toolset. Deterministic for a given `rng`."""

    def __init__(self, toolset: Toolset, rng: random.Random) -> None:
        self._tools = toolset.by_name
        self._validators = {tool.name: ToolValidator(tool) for tool in toolset.tools}
        self._rng = rng

    def __call__(self, row: Row) -> Row:
        """The row with fresh identifiers; the row itself where they would not ground any more.

        A row that carries its own tools stays as it is.
        """
        if row.offered is not None:
            return row
        cores = {core: pattern for call in row.calls for core, pattern in self._cores(call)}
        said = row.text
        everything = "\n".join(message.content for message in row.messages)
        fresh = {
            core: self._other_currency(core, pattern, everything)
            if is_currency(core, pattern) else self._like(core)
            for core, pattern in sorted(cores.items()) if _whole(core).search(said)
        }  # fmt: skip
        fresh = {core: new for core, new in fresh.items() if new != core}
        if not fresh or any(_whole(new).search(said) for new in fresh.values()):
            return row
        made = replace(
            row,
            messages=tuple(replace(m, content=_swapped(m.content, fresh)) for m in row.messages),
            target=cast(Mapping[str, Any], _swapped_in(row.target, fresh)),
        )
        return made if all(self._holds(call, made) for call in made.calls) else row

    def _cores(self, call: Call) -> Iterator[tuple[str, str]]:
        """The changing part of each identifier, and the pattern that describes the whole."""
        for item in identifiers(call, self._tools[call.tool]):
            core, pattern = str(item.value)[len(item.head) :], item.schema.get("pattern")
            if pattern and len(core) >= _MIN_LENGTH and core.isalnum():
                yield core, pattern

    def _other_currency(self, code: str, pattern: str, said: str) -> str:
        """Another currency; the same one where the text would then name both."""
        others = [
            other for other in everyday_codes() if other != code and re.search(pattern, other)
        ]
        new = self._rng.choice(others)
        named = names_currency(_whole(code).sub(" ", said), code, ())
        return code if named or names_currency(said, new, ()) else new

    def _like(self, core: str) -> str:
        return "".join(self._character(character) for character in core)

    def _character(self, character: str) -> str:
        for family in (_DIGITS, _VOWELS, _CONSONANTS):
            if character.lower() in family:
                chosen = self._rng.choice(family)
                return chosen.upper() if character.isupper() else chosen
        return character

    def _holds(self, call: Call, row: Row) -> bool:
        tool = self._tools[call.tool]
        valid = not self._validators[call.tool].errors(call.arguments)
        return valid and not ungrounded(call, tool, row.messages)


def in_passes(
    rows: Sequence[Row], order: Iterable[int], refresh: Refresher | None
) -> Iterator[Row]:
    """The rows in `order`: as written the first time a row comes, refreshed from then on."""
    seen: set[int] = set()
    for number in order:
        yield refresh(rows[number]) if refresh and number in seen else rows[number]
        seen.add(number)


def _whole(core: str) -> re.Pattern[str]:
    # As in grounding, a number may follow letters ("ord1234"), a code may not.
    before = r"(?<!\d)" if core.isdigit() else r"(?<![A-Za-z0-9])"
    return re.compile(rf"{before}{re.escape(core)}(?![A-Za-z0-9])", re.IGNORECASE)


def _swapped(text: str, fresh: Mapping[str, str]) -> str:
    for core, new in fresh.items():

        def in_its_case(found: re.Match[str], new: str = new) -> str:
            return new.lower() if found.group().islower() else new

        text = _whole(core).sub(in_its_case, text)
    return text


def _swapped_in(value: Any, fresh: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _swapped(value, fresh)
    if isinstance(value, list):
        return [_swapped_in(item, fresh) for item in cast(list[Any], value)]
    if isinstance(value, Mapping):
        return {
            key: _swapped_in(item, fresh) for key, item in cast(Mapping[str, Any], value).items()
        }
    return value
