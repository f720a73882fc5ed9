"""The object `response` of the Responses API, in each of its states. Pure."""

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.faces.openai.items import Item
from gateway.faces.openai.rounds import Rounds
from gateway.types import Usage

_CODES = {"rate_limit_error": "rate_limit_exceeded", "server_error": "server_error"}


@dataclass(frozen=True)
class ResponseStates:
    """One response: what it is told with in every state. `told` are the settings of the request,
    which a response tells back."""

    told: Mapping[str, Any]
    id: str = field(default_factory=lambda: f"resp_{uuid.uuid4().hex}")
    created_at: int = field(default_factory=lambda: int(time.time()))

    def running(self, rounds: Rounds) -> dict[str, Any]:
        """A response that has begun."""
        return self._state("in_progress", rounds.model)

    def ended(self, rounds: Rounds) -> dict[str, Any]:
        """A response that has come to its end, be it a whole answer or one that was cut off."""
        members: dict[str, Any] = {"output": rounds.output, "usage": _usage(rounds.usage)}
        if rounds.finish in ("stop", "tool_calls"):
            return self._state("completed", rounds.model, **members)
        reason = "content_filter" if rounds.finish == "content_filter" else "max_output_tokens"
        details = {"reason": reason}
        return self._state("incomplete", rounds.model, incomplete_details=details, **members)

    def failed(self, rounds: Rounds, error: Mapping[str, Any]) -> dict[str, Any]:
        """A response that an error ended, as far as it went. Of codes OpenAI has a few; ours is in
        the event `error`."""
        code = _CODES.get(error["type"], "invalid_prompt")
        told = {"code": code, "message": error["message"]}
        return self._state("failed", rounds.model, output=rounds.output, error=told)

    def _state(
        self,
        status: str,
        model: str,
        *,
        output: Sequence[Item] = (),
        usage: Mapping[str, Any] | None = None,
        error: Mapping[str, Any] | None = None,
        incomplete_details: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created_at,
            "status": status,
            "background": False,
            "error": error,
            "incomplete_details": incomplete_details,
            "model": model,
            "output": list(output),
            "text": {"format": {"type": "text"}},
            "truncation": "disabled",
            "usage": usage,
            **self.told,
        }


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }
