"""Identifiers that a conversation offers: what the grammar lets the model write.

A small model miscopies: it writes SKU-TEE40 where SKU-TEE44 was said. Grounding would withhold
such a call; better not to let it be written. So where an identifier has a simple form (a constant
head and a row of letters or digits, or an e-mail address), its schema is narrowed to what whole
words of the conversation can give. The narrowing is generous, and whether a candidate grounds is
judged afterwards, as ever. Where the conversation gives none, the schema stays as it is: the model
then says no_tool, or invents and is withheld.

Only the grammar is narrowed, never the prompt, and only by what the model can read of the
conversation; one of more than 20,000 characters narrows nothing, which leaves the choice to
grounding. Pure functions.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from gateway.grounding.codes import codes, joined_words
from gateway.grounding.ground import constant_head, said_by_others
from gateway.grounding.other_numbers import without_other_numbers
from gateway.prompt import last_turns
from gateway.types import Message, Toolset

MAX_CANDIDATES = 256
"""More choices than this are as good as none, and cost the decoder time."""
_MAX_CHARACTERS = 20_000
_LONGEST = 40
_MAX_DEPTH = 32
_ROW = re.compile(r"(?:\[[A-Za-z0-9-]+\]|\\d)(?:\{(?:\d+,)?(\d*)\}|[+*])?\$")
"""What may follow the head of a pattern: one class of letters and digits, and how many."""
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_SPOKEN_EMAIL = re.compile(r"\b(?:at|dot)\b", re.IGNORECASE)


def narrowed(toolset: Toolset, messages: Sequence[Message]) -> Toolset:
    """The toolset with its identifiers narrowed to the conversation's; itself if none are."""
    text = said_by_others(last_turns(messages))
    if len(text) > _MAX_CHARACTERS:
        return toolset
    offer = _Offer(text)
    tools = tuple(
        tool.model_copy(update={"input_schema": schema})
        if (schema := _narrowed(tool.input_schema, offer, 0)) != tool.input_schema
        else tool
        for tool in toolset.tools
    )
    return toolset if tools == toolset.tools else Toolset(toolset.name, tools)


class _Offer:
    """The candidates of one text, each form of identifier looked up once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._found: dict[str, list[str]] = {}

    def patterned(self, pattern: str) -> list[str]:
        """Values of a simple pattern; none for any other."""
        if pattern not in self._found:
            head = constant_head(pattern)
            row = _ROW.fullmatch(pattern.removeprefix(f"^{head}")) if head else None
            self._found[pattern] = self._with_head(head, row, re.compile(pattern)) if row else []
        return self._found[pattern]

    def emails(self) -> list[str]:
        """The addresses that are written out; none if one may have been spoken."""
        if "@" not in self._found:
            written = [match.rstrip(".-") for match in _EMAIL.findall(self._text)]
            rest = _EMAIL.sub(" ", self._text)
            spoken = "dot" in rest.casefold() and _SPOKEN_EMAIL.search(rest)
            self._found["@"] = [] if spoken else _few({*written, *map(str.lower, written)})
        return self._found["@"]

    def _with_head(self, head: str, row: re.Match[str], pattern: re.Pattern[str]) -> list[str]:
        longest = min(int(row[1] or _LONGEST), _LONGEST)
        # The head may be said, and even be glued to the rest: skuBAG09.
        spoken = re.sub(r"[\W_]", "", head).casefold()
        words = joined_words(self._text, len(spoken) + longest)
        numbers = joined_words(without_other_numbers(self._text, head), longest)
        cut = {word[len(spoken) :] for word in words if word.casefold().startswith(spoken)}
        # Without it, words of letters alone ("in Berlin") are no code; said, it is no part of one.
        bare = {
            word
            for word in words
            if not (word.isalpha() or word.isdecimal() or word.casefold().startswith(spoken))
        }
        bare |= {word for word in numbers if word.isdecimal()}
        words = bare | cut | codes(self._text, spoken, longest)
        made = {head + form for word in words for form in (word, word.upper(), word.lower())}
        return _few({value for value in made if pattern.fullmatch(value)})


def _few(values: set[str]) -> list[str]:
    return sorted(values) if len(values) <= MAX_CANDIDATES else []


def _narrowed(schema: Any, offer: _Offer, depth: int) -> Any:
    """A schema with every identifier in it narrowed, wherever it stands."""
    if depth > _MAX_DEPTH:
        return schema
    if isinstance(schema, list):
        return [_narrowed(part, offer, depth + 1) for part in cast(list[Any], schema)]
    if not isinstance(schema, dict):
        return schema
    node = cast(dict[str, Any], schema)
    values = _candidates(node, offer)
    if values:
        return {"type": "string", "enum": values}
    return {
        key: value if key in ("enum", "const", "default", "examples") else
        _narrowed(value, offer, depth + 1)
        for key, value in node.items()
    }  # fmt: skip


def _candidates(node: Mapping[str, Any], offer: _Offer) -> list[str]:
    if node.get("type") != "string" or "enum" in node or "const" in node:
        return []
    pattern = node.get("pattern")
    if isinstance(pattern, str):
        return offer.patterned(pattern)
    return offer.emails() if node.get("format") == "email" else []
