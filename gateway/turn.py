"""A turn of a chat and its answer: values that faces write and read, and the assistant gives."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Literal

from mcp.types import Tool

from gateway.choice import Choice
from gateway.types import Call, Message, Usage

AnswerPath = Literal["router", "fallback", "reason", "result"]


@dataclass(frozen=True, slots=True)
class Turn:
    """What an agent asks. `messages` are what the router reads of `spoken`, the conversation as
    OpenAI writes it; `tools` are the agent's own, None if it brought none; `only` bounds which
    tools may be called; `settings` are for the fallback alone; `conversation` is the agent's
    name for it."""

    face: str
    model: str
    messages: tuple[Message, ...]
    spoken: Sequence[Mapping[str, Any]]
    tools: tuple[Tool, ...] | None = None
    only: frozenset[str] | None = None
    choice: Choice = field(default_factory=Choice)
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    stream: bool = False
    conversation: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """How a turn was answered: with calls, with a text, or with a refusal and its reason."""

    path: AnswerPath
    model: str
    calls: tuple[Call, ...] = ()
    ids: tuple[str, ...] = ()
    text: str | None = None
    refusal: str | None = None
    finish: str = "stop"
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True)
class Begun:
    """An answer that begins: who gives it, what the router said, and its pieces (texts as they
    come, and the whole answer last)."""

    path: AnswerPath
    model: str
    outcome: str | None
    drift_header: str | None
    pieces: AsyncGenerator[str | Answer]

    async def whole(self) -> Answer:
        """The whole answer. Raises as its pieces do."""
        async with aclosing(self.pieces) as pieces:
            async for piece in pieces:
                if isinstance(piece, Answer):
                    return piece
        raise AssertionError("an answer's last piece is the whole of it")
