"""Grounding: an identifier in a call must come from the conversation.

A grammar with a `pattern` forces a well-formed identifier out of "order 12", so a valid call may
still carry an invented one. An argument is an identifier if its schema has a pattern or a format,
if it is a path, or if it is a number with five or more digits; a value of an enum is none. It is
grounded if one of these readings of the user's or the tools' messages gives it:

- verbatim, whatever the case;
- with spaces and separators dropped ("ord 1234", "#1234", "sku mug-12"). Digits must stand as a
  number of their own, so that 1234 grounds neither in 12345 nor in 91234, neither in 1234A nor in
  the amount 12.34. The constant head of a pattern (`ORD-`) need not be said before digits that
  are not plainly something else (`gateway.grounding.other_numbers`: sums, dates, phone numbers,
  codes with another head), nor before one word with digits in it; without a head, digits may stand
  in brackets, and what is as long as an IBAN in groups;
- spoken: digits as words ("one two three four", "double seven", "twelve thirty four"), an e-mail
  address ("anna dot lee at web dot de"), a code in parts behind its head ("s k u mug one two",
  see `gateway.grounding.codes`);
- a date in figures or words, with its year, for a format or a pattern of one;
- a country by name or code, for a pattern of two capital letters; where the argument asks for a
  country, neither a state (CA 90001) nor a unit (16 GB) is its code;
- a currency by name, sign or code, for a pattern that takes codes (`gateway.grounding.currencies`);
- an amount in any usual notation (`gateway.grounding.amounts`).

Of a long text only the end is read for what is spoken or has no head, so that the time is bounded.
System messages and the assistant's texts ground nothing, nor do schemas, whose descriptions say
"for example ORD-1234". Pure functions.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from mcp.types import Tool

from gateway.arguments import arguments
from gateway.grounding.amounts import names_amount
from gateway.grounding.codes import codes
from gateway.grounding.currencies import is_currency, names_currency
from gateway.grounding.other_numbers import without_other_numbers
from gateway.grounding.readings import names_country, names_date
from gateway.grounding.speech import plain_digits, recent, spells_email, spoken_numbers
from gateway.types import Call, Message

LONG_NUMBER_DIGITS = 5
_GAP = r"[\-‐‑–—_./]{0,2}"
_HEAD_GAP = r"[\s\-‐‑–—_./:#]{0,2}"
_DIGIT_GAP = r"[\s\-‐‑–—_]{0,2}"
_FREE_DIGIT_GAP = r"[\s\-‐‑–—_()]{0,2}"
_SPACED_GAP = rf"(?:{_GAP}|\s)"
_SPACED = 15
"""So long an identifier without a head is written in groups, as an IBAN is."""
_LITERAL = re.compile(r"^\^((?:[A-Za-z0-9_/:@#\-]|\\[.\-/])+)")


@dataclass(frozen=True, slots=True)
class Ungrounded:
    """An identifier that the conversation does not give: its JSON Pointer and its value."""

    pointer: str
    value: str | int | float

    def as_dict(self) -> dict[str, Any]:
        """The form the faces show."""
        return {"pointer": self.pointer, "value": self.value}


def ungrounded(call: Call, tool: Tool, messages: Sequence[Message]) -> list[Ungrounded]:
    """The call's identifiers that no reading of the conversation gives; empty if all do."""
    source = said_by_others(messages)
    amounts = _numbers(call, tool)
    return [
        Ungrounded(identifier.pointer, identifier.value)
        for identifier in identifiers(call, tool)
        if not _grounded(identifier, source, amounts)
    ]


def said_by_others(messages: Sequence[Message]) -> str:
    """What grounds: the texts of users and tools, digits of every script as 0 to 9."""
    texts = [message.content for message in messages if message.role in ("user", "tool")]
    return plain_digits("\n".join(texts))


@dataclass(frozen=True, slots=True)
class Identifier:
    """An argument that must come from the conversation: where it stands, and its own schema."""

    pointer: str
    name: str
    value: str | int | float
    schema: Mapping[str, Any]

    @property
    def head(self) -> str:
        """The constant head of its pattern, which need not be said (`ORD-`); empty without one."""
        head = _head(self.schema)
        return head if isinstance(self.value, str) and self.value.startswith(head) else ""


def identifiers(call: Call, tool: Tool) -> Iterator[Identifier]:
    """The call's arguments that are identifiers, in the order of the arguments."""
    for argument in arguments(call, tool):
        if _is_identifier(argument.value, argument.schema):
            yield Identifier(argument.pointer, argument.name, argument.value, argument.schema)


def _is_identifier(value: str | int | float, schema: Mapping[str, Any]) -> bool:
    if "enum" in schema or "const" in schema:
        return False
    if isinstance(value, str):
        return "pattern" in schema or "format" in schema or _is_path(value)
    return sum(character.isdigit() for character in repr(value)) >= LONG_NUMBER_DIGITS


def _is_path(value: str) -> bool:
    if re.match(r"(/|\./|\.\./|~/|[A-Za-z]:[\\/]|[a-z][a-z0-9+.-]*://)\S", value):
        return True
    return bool(re.fullmatch(r"[^\s/]+(/[^\s/]+)+/?", value)) and not value.endswith(("/or", "/a"))


def _numbers(call: Call, tool: Tool) -> frozenset[float]:
    values = (argument.value for argument in arguments(call, tool))
    return frozenset(v for v in values if isinstance(v, int | float) and not isinstance(v, bool))


def _grounded(identifier: Identifier, source: str, amounts: frozenset[float]) -> bool:
    value, schema = identifier.value, identifier.schema
    if not isinstance(value, str):
        return names_amount(source, value)
    value = plain_digits(value)
    if schema.get("format") == "email":
        return spells_email(source, value)
    if is_currency(value, str(schema.get("pattern", ""))):
        return names_currency(source, value, amounts)
    two_capitals = re.fullmatch(r"[A-Z]{2}", value) is not None
    # In CA 90001 stands a state, so what asks for a country is not read as it stands.
    if not (two_capitals and "country" in identifier.name.casefold()) and _verbatim(value, source):
        return True
    if two_capitals:
        return names_country(source, value)
    if _separated(value, schema, source):
        return True
    if schema.get("format") in ("date", "date-time") or re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        day = _day(value)
        return day is not None and names_date(source, day)
    return _said(value, schema, source)


def _verbatim(value: str, source: str) -> bool:
    # A full stop or hyphen may follow an identifier at the end of a sentence, but a letter or a
    # digit beside it means that it was cut out of a longer one.
    pattern = rf"(?<!\w){re.escape(value)}(?!\w)(?![-.@]\w)"
    exact = re.fullmatch(r"[A-Z]{2}", value) is not None
    return re.search(pattern, source, 0 if exact else re.IGNORECASE) is not None


def _separated(value: str, schema: Mapping[str, Any], source: str) -> bool:
    """Separators dropped, with or without the pattern's constant head."""
    if "pattern" not in schema:
        return False
    head, rest = _parts(value, schema)
    characters = _bare(rest)
    if not characters:
        return False
    numeric = characters.isdigit()
    if numeric:
        gap = _DIGIT_GAP if head else _FREE_DIGIT_GAP
    else:
        gap = _GAP if head or len(characters) < _SPACED else _SPACED_GAP
    spelt = gap.join(re.escape(character) for character in characters)
    heads = r"(?<!\w)" + _HEAD_GAP.join(map(re.escape, _bare(head))) + _HEAD_GAP
    # Behind it, ".50" or ",50" make an amount of it, while ",5678" begins the next identifier.
    after = r"(?![\dA-Za-z]|[-.]\d|,\d{1,3}(?!\d))" if numeric else r"(?!\w)"
    if head and re.search(heads + spelt + after, source, re.IGNORECASE):
        return True
    if numeric:
        # An identifier of digits may follow letters ("order1234"), one with letters its own head.
        source, before = _headless(source, head), r"(?<!\d)(?<!\d[-.])"
    elif head and rest.isalpha():
        # Without its head, a row of letters is any word.
        return False
    else:
        before = r"(?<!\w)" + (f"(?!{re.escape(_bare(head))})" if head else "")
    return re.search(before + spelt + after, source, re.IGNORECASE) is not None


def _said(value: str, schema: Mapping[str, Any], source: str) -> bool:
    """Spoken digits, alone or within a code ("mug one two")."""
    head, rest = _parts(value, schema)
    compact = _bare(rest).casefold()
    if compact.isdigit():
        return compact in spoken_numbers(_headless(source, head))
    return len(compact) > 2 and compact in codes(source, _bare(head).casefold(), len(compact))


def _headless(source: str, head: str) -> str:
    """The text in which a number may be an identifier whose head, if it has one, is not said."""
    return without_other_numbers(recent(source), head) if head else source


def _parts(value: str, schema: Mapping[str, Any]) -> tuple[str, str]:
    """The constant head that a value begins with, or nothing, and the rest."""
    head = _head(schema)
    return (head, value[len(head) :]) if head and value.startswith(head) else ("", value)


def _bare(text: str) -> str:
    """Letters and digits alone."""
    return re.sub(r"[\W_]", "", text)


def _head(schema: Mapping[str, Any]) -> str:
    pattern = schema.get("pattern")
    return constant_head(pattern) if isinstance(pattern, str) else ""


def constant_head(pattern: str) -> str:
    """The constant head of a pattern: `ORD-` of `^ORD-[0-9]{4,6}$`; empty without one."""
    match = _LITERAL.match(pattern)
    if match is None:
        return ""
    head, following = match[1], pattern[match.end() :]
    if following[:1] in ("?", "*", "+", "{", "|"):
        head = head[:-1]
    return (
        "" if "|" in following.split("]")[-1] and "(" not in following else head.replace("\\", "")
    )


def _day(value: str) -> date | None:
    try:
        return date.fromisoformat(value[:10])
    except ValueError:
        return None
