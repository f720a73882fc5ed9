"""What every engine offers: load adapters, complete prompts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from gateway.types import Usage


@dataclass(frozen=True, slots=True)
class Prompt:
    """What to complete: chat messages, the adapter's version, and the answers' JSON Schema.

    `adapter` None means the base model alone; `schema` None means free decoding.
    """

    messages: tuple[Mapping[str, str], ...]
    adapter: str | None
    schema: Mapping[str, Any] | None
    max_prompt_tokens: int
    max_answer_tokens: int


@dataclass(frozen=True, slots=True)
class Completion:
    """Greedy text, and the sum of its tokens' log-probabilities (natural; forced tokens add 0)."""

    text: str
    logprob: float
    usage: Usage


class Engine(Protocol):
    """Runs the base model with adapters. One object serves all requests."""

    async def start(self) -> None:
        """Get ready. Raises EngineDown if the base model cannot be run."""
        ...

    async def close(self) -> None:
        """Release everything; idempotent."""
        ...

    async def weights_digest(self) -> str | None:
        """Digest of the base model's weights, None if the engine cannot prove it."""
        ...

    async def load(self, version: str, folder: Path) -> None:
        """Make an adapter available under its version. Raises AdapterRefused or EngineDown."""
        ...

    async def unload(self, version: str) -> None:
        """Forget an adapter; unknown versions are ignored."""
        ...

    async def complete(self, prompt: Prompt) -> Completion:
        """Complete a prompt greedily.

        Raises:
            ConversationTooLong: the prompt has more than `max_prompt_tokens` tokens.
            UnknownModel: the adapter is not loaded.
            EngineDown: the engine is stopped, overloaded or failed.
        """
        ...
