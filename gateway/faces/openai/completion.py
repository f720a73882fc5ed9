"""An answer as Chat Completions writes it: whole, or in the chunks of a stream. Pure."""

import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from gateway.turn import Answer


@dataclass(frozen=True)
class Completion:
    """One completion: what all of its chunks share. `counted`: `stream_options.include_usage`,
    with which every chunk has a member `usage`, null in all but the last."""

    model: str
    counted: bool = False
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, answer: Answer) -> dict[str, Any]:
        """The object `chat.completion`."""
        message: dict[str, Any] = {"role": "assistant", "content": answer.text}
        message["refusal"] = answer.refusal
        if answer.calls:
            message["tool_calls"] = tool_calls(answer)
        choice = {
            "index": 0,
            "message": message,
            "finish_reason": answer.finish,
            "logprobs": None,
        }
        body = self._object("chat.completion", [choice])
        return {**body, "model": answer.model, "usage": usage(answer)}

    def first(self, worded: bool) -> dict[str, Any]:
        """The first chunk, which names the role; its content is null unless text follows."""
        content = "" if worded else None
        return self._chunk({"role": "assistant", "content": content, "refusal": None})

    def text(self, piece: str) -> dict[str, Any]:
        """A chunk of text."""
        return self._chunk({"content": piece})

    def last(self, answer: Answer) -> Iterator[dict[str, Any]]:
        """Calls or refusal, the chunk with `finish_reason`, and the usage, which has no choices.

        A call comes as OpenAI sends it: index, id and name first, its arguments behind them.
        """
        if answer.refusal is not None:
            yield self._chunk({"refusal": answer.refusal})
        for index, call in enumerate(tool_calls(answer)):
            function = call["function"]
            opening = {**call, "index": index, "function": {**function, "arguments": ""}}
            yield self._chunk({"tool_calls": [opening]})
            rest = {"index": index, "function": {"arguments": function["arguments"]}}
            yield self._chunk({"tool_calls": [rest]})
        yield self._chunk({}, answer.finish)
        if self.counted:
            yield {**self._object("chat.completion.chunk", []), "usage": usage(answer)}

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        uncounted = {"usage": None} if self.counted else {}
        return {**self._object("chat.completion.chunk", [choice]), **uncounted}

    def _object(self, kind: str, choices: list[Any]) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "choices": choices,
        }


def tool_calls(answer: Answer) -> list[dict[str, Any]]:
    """The calls; their arguments are JSON text."""
    return [
        {
            "id": id,
            "type": "function",
            "function": {
                "name": call.tool,
                "arguments": json.dumps(call.arguments, ensure_ascii=False),
            },
        }
        for id, call in zip(answer.ids, answer.calls, strict=True)
    ]


def usage(answer: Answer) -> dict[str, int]:
    """Tokens of the one who answered."""
    prompt, completion = answer.usage.prompt_tokens, answer.usage.completion_tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
