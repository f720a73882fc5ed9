"""An answer of Chat Completions as it arrives: chunks of a stream, or all at once.

Pure: takes in what the other side wrote and puts it together. Names and shapes are those of
OpenAI's API reference; servers that leave out what is optional there are read as well.
"""

import json
from dataclasses import dataclass
from typing import Any, NoReturn, cast

from pydantic import BaseModel

from gateway.types import Usage


@dataclass(frozen=True, slots=True)
class WrittenCall:
    """A tool call as the LLM wrote it; `arguments` is JSON text that nobody has checked."""

    id: str
    tool: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Written:
    """A whole answer. `finish` is OpenAI's `finish_reason`."""

    text: str | None
    calls: tuple[WrittenCall, ...]
    refusal: str | None
    finish: str
    model: str
    usage: Usage


class _Function(BaseModel):
    name: str | None = None
    arguments: str | None = None


class _Call(BaseModel):
    index: int | None = None
    id: str | None = None
    function: _Function = _Function()


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(BaseModel):
    message: _Message | None = None
    delta: _Message | None = None
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Chunk(BaseModel):
    """A `chat.completion` or a `chat.completion.chunk`."""

    model: str | None = None
    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: Any = None


class Parts:
    """An answer as far as it has arrived. `finish` is None until it is whole."""

    def __init__(self) -> None:
        self.finish: str | None = None
        self._texts: list[str] = []
        self._refusals: list[str] = []
        self._calls: list[list[str]] = []  # id, name, arguments
        self._at: dict[int, list[str]] = {}  # index -> the call that was opened there last
        self._model: str | None = None
        self._usage = Usage()

    def add(self, chunk: Chunk) -> str:
        """Take a chunk in; returns the text it brought."""
        self._model = chunk.model or self._model
        if chunk.usage is not None:
            self._usage = Usage(chunk.usage.prompt_tokens, chunk.usage.completion_tokens)
        text = ""
        for choice in chunk.choices[:1]:
            self.finish = choice.finish_reason or self.finish
            message = choice.message or choice.delta or _Message()
            text += message.content or ""
            self._refusals.append(message.refusal or "")
            for place, call in enumerate(message.tool_calls or ()):
                parts = self._call(place if call.index is None else call.index, call)
                parts[0] = parts[0] or call.id or ""
                parts[1] = parts[1] or call.function.name or ""
                parts[2] += call.function.arguments or ""
        self._texts.append(text)
        return text

    def _call(self, index: int, piece: _Call) -> list[str]:
        """The call that a piece belongs to."""
        parts = self._at.get(index)
        # Some servers give every call the same index, or none: there another id opens another
        # call. An id without a name opens none, for others give each piece an id of its own.
        another = piece.id and piece.function.name
        if parts is None or (another and parts[0] not in ("", piece.id)):
            parts = self._at[index] = ["", "", ""]
            self._calls.append(parts)
        return parts

    def written(self, model: str) -> Written:
        """The whole answer; `model` is who wrote it if it does not say so."""
        calls = (
            WrittenCall(id or f"call_{index}", name, arguments)
            for index, (id, name, arguments) in enumerate(self._calls)
        )
        return Written(
            text="".join(self._texts) or None,
            calls=tuple(calls),
            refusal="".join(self._refusals) or None,
            finish=self.finish or "stop",
            model=self._model or model,
            usage=self._usage,
        )


def arguments_of(text: str) -> dict[str, Any]:
    """A call's arguments, which stand as JSON text in OpenAI's form. Raises ValueError."""
    try:
        value = json.loads(text or "{}", parse_constant=_refuse)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as exc:
        raise ValueError(f"a tool call's arguments are not JSON: {exc}") from exc
    if not isinstance(value, dict):
        raise ValueError("a tool call's arguments must be a JSON object")
    return cast(dict[str, Any], value)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
