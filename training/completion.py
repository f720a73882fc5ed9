"""A chat completion as an answer, and what the headers around it ask for. Pure; no connection.

Only what every OpenAI-compatible endpoint sends is relied on. A model's reasoning is dropped,
whether it stands in a member of its own (`reasoning_content`, never looked at) or in the text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from gateway.types import Usage


@dataclass(frozen=True)
class ToolCall:
    """A tool call as the teacher wrote it: `arguments` is text, and perhaps no JSON."""

    name: str
    arguments: str


@dataclass(frozen=True)
class Answer:
    """What the teacher wrote, perhaps nothing; `ended` is the endpoint's `finish_reason`.

    `seconds` is what the request took that brought it.
    """

    text: str
    usage: Usage
    ended: str | None = None
    calls: tuple[ToolCall, ...] = ()
    seconds: float = field(default=0.0, compare=False)


def read_completion(value: Any) -> Answer:
    """The first choice of a chat completion; a refusal counts as what was written.

    Raises:
        ValueError: it is none.
    """
    try:
        choice = value["choices"][0]
        message = choice["message"]
        said = message.get("content") or message.get("refusal") or ""
        if not isinstance(said, str):
            said = "".join(part.get("text") or "" for part in said)
        calls = tuple(_call(call["function"]) for call in message.get("tool_calls") or ())
        used = value.get("usage") or {}
        tokens = (int(used.get(name) or 0) for name in ("prompt_tokens", "completion_tokens"))
        usage = Usage(*tokens)
        ended = choice.get("finish_reason")
    except (LookupError, TypeError, AttributeError, ValueError, OverflowError) as exc:
        raise ValueError("no chat completion") from exc
    return Answer(without_reasoning(said), usage, str(ended) if ended else None, calls)


def _call(function: Any) -> ToolCall:
    name, arguments = function["name"], function.get("arguments") or ""
    if not isinstance(name, str) or not isinstance(arguments, str):
        raise TypeError("a call has a name, and its arguments as text")
    return ToolCall(name, arguments)


def without_reasoning(text: str) -> str:
    """The answer behind a `<think>` block; nothing of it if the block never ends.

    The opening tag may be missing, because some chat templates write it into the prompt.
    """
    head, closed, rest = text.partition("</think>")
    if head.lstrip().startswith("<think>"):
        return rest.strip()
    # A tag within a line of JSON is a row's own text.
    within = head.rpartition("\n")[2].lstrip().startswith(("{", "[", '"'))
    return rest.strip() if closed and not within else text.strip()


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The pause in seconds that `Retry-After` asks for (RFC 9110, 10.2.3); None without one.

    A date counts from the response's own `Date`, so that no two clocks are compared.
    """
    asked = headers.get("retry-after", "").strip()
    try:
        return max(0.0, float(asked))
    except ValueError:
        until, sent = _date(asked), _date(headers.get("date", ""))
    return max(0.0, (until - sent).total_seconds()) if until and sent else None


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found if found.tzinfo else None
