"""The members of a row's JSON object, each read strictly and refused in words.

Knows the form of a row (`training.rows`) and nothing of the tools that its target may call. What is
no member of a row is not looked at.
"""

import json
from collections.abc import Mapping
from typing import Any, cast, get_args

from gateway.fingerprint import FINGERPRINT_DIGITS
from gateway.grammar import parse_answer
from gateway.manifest import OFFERED
from gateway.types import Message, Role, Route, Toolset

_ROLES = get_args(Role)
_REASON_CHARS = 300


class NoTarget(ValueError):
    """What stands where a row's target should is no answer as the router writes it."""


def members(value: Any) -> Mapping[str, Any]:
    """A row's object. Raises ValueError."""
    if not isinstance(value, dict):
        raise ValueError("a row is a JSON object")
    return cast(dict[str, Any], value)


def wanted(row: Mapping[str, Any]) -> Route:
    """The target, read as an answer of the router.

    Raises:
        NoTarget: it is none.
        RecursionError: it is nested too deeply.
    """
    if "target" not in row:
        raise NoTarget("a row needs a `target`")
    answer = parse_answer(json.dumps(row["target"]))
    if answer.error:
        raise NoTarget(f"the target is no answer: {answer.error}")
    return answer


def messages(row: Mapping[str, Any]) -> tuple[Message, ...]:
    """The conversation; a `request` is one of a single turn. Raises ValueError."""
    if "request" in row:
        if not _is_text(row["request"]) or not row["request"].strip():
            raise ValueError("request must be a text")
        return (Message("user", row["request"]),)
    if "messages" not in row:
        raise ValueError("a row needs `request` or `messages`")
    turns = _list(row["messages"])
    if not turns or not all(isinstance(turn, dict) for turn in turns):
        raise ValueError("messages must be a list of turns, each {role, content}")
    if any(turn.get("role") not in _ROLES for turn in turns):
        raise ValueError(f"messages need a role of {', '.join(_ROLES)}")
    if not all(_is_text(turn.get("content")) for turn in turns):
        raise ValueError("a message's content must be a text")
    return tuple(Message(turn["role"], turn["content"]) for turn in turns)


def voice(row: Mapping[str, Any]) -> str:
    """Who speaks; empty if the row does not say. Raises ValueError."""
    named: Any = row.get("voice") or ""
    if not _is_text(named):
        raise ValueError("voice must be a text")
    return named


def accept(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Arguments that may match by overlap. Raises ValueError."""
    names = _list(row.get("accept", []))
    if names is None or not all(map(_is_text, names)):
        raise ValueError("accept must be a list of arguments' names")
    return tuple(names)


def offered(row: Mapping[str, Any]) -> Toolset | None:
    """The row's own tools, if it carries them. Raises ValueError."""
    if "tools" not in row:
        return None
    if not row["tools"]:
        raise ValueError("the row offers no tools")
    return Toolset.from_json({"name": OFFERED, "tools": row["tools"]})


def made_for(row: Mapping[str, Any]) -> str | None:
    """The fingerprint of the toolset that the row names, or its beginning. Raises ValueError."""
    named = row.get("toolset")
    if named is None:
        return None
    if not isinstance(named, str) or len(named) < FINGERPRINT_DIGITS:
        raise ValueError(f"toolset must be a fingerprint of {FINGERPRINT_DIGITS} digits or more")
    return named


def reason_of(exc: BaseException) -> str:
    """An error as a reason: one line of at most 300 characters."""
    if isinstance(exc, RecursionError):
        return "nested too deeply"
    text = f"{exc} is missing" if isinstance(exc, KeyError) else str(exc) or type(exc).__name__
    return " ".join(text.split())[:_REASON_CHARS]


def _list(value: Any) -> list[Any] | None:
    return cast(list[Any], value) if isinstance(value, list) else None


def _is_text(value: Any) -> bool:
    return isinstance(value, str)
