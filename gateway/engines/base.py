"""What every engine offers: load adapters, complete prompts."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from gateway.types import Usage


@dataclass(frozen=True, slots=True)
class Prompt:
    """What to complete: chat messages, the adapter's version, and the language of the answers.

    `adapter` None means the base model alone. The language is a JSON Schema or, where an answer is
    more than one JSON value, an llguidance Lark grammar; neither means free decoding. A marker such
    as `<tool_call>` is a rule of its own in the grammar, so that an engine can put its token there.
    `tools`, unless None, are for the chat template to show, in OpenAI's form.
    """

    messages: tuple[Mapping[str, Any], ...]
    adapter: str | None
    schema: Mapping[str, Any] | None
    max_prompt_tokens: int
    max_answer_tokens: int
    tools: tuple[Mapping[str, Any], ...] | None = None
    grammar: str | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it was written: its UTF-8 bytes, which may be part of a character, and its
    natural log-probability among the tokens allowed there (0 where the grammar forced it)."""

    data: bytes
    logprob: float


@dataclass(frozen=True, slots=True)
class Completion:
    """Greedy text, the tokens it is made of (the closing one included), and what it cost."""

    text: str
    tokens: tuple[Token, ...]
    usage: Usage

    @property
    def logprob(self) -> float:
        """Natural log-probability of the whole answer."""
        return sum(token.logprob for token in self.tokens)


@dataclass(frozen=True, slots=True)
class ReplicaStatus:
    """How one replica does: its URL without a password, whether it gets prompts (`ready`), has not
    been tried yet (`starting`) or failed (`down`), prompts under way, the versions that it answers
    with, and what is wrong."""

    url: str
    state: Literal["starting", "ready", "down"]
    in_flight: int
    loaded: tuple[str, ...]
    error: str | None


@dataclass(frozen=True, slots=True)
class Proof:
    """Asks an engine that has loaded a version whether it answers with it as it must.

    `everywhere`: every server that is up must pass. Else those that pass are enough, and the others
    only get no prompts for the version. `before`, unless None, is awaited whenever a server
    elsewhere is about to load the version, be it long after it came into service, and raises
    AdapterRefused if the folder is no longer what came in.
    """

    ask: Callable[["Engine"], Awaitable[None]]
    everywhere: bool = True
    before: Callable[[], Awaitable[None]] | None = None

    async def __call__(self, engine: "Engine") -> None:
        """Raises ProbeFailed if it does not; EngineDown or UnknownModel if it cannot answer."""
        await self.ask(engine)


class Engine(Protocol):
    """Runs the base model with adapters. One object serves all requests."""

    @property
    def status(self) -> Sequence[ReplicaStatus]:
        """How each replica does; empty for an engine that has no servers elsewhere."""
        ...

    async def start(self) -> None:
        """Get ready. Raises EngineDown if the base model cannot be run."""
        ...

    async def close(self) -> None:
        """Release everything; idempotent."""
        ...

    async def weights_digest(self) -> str | None:
        """Digest of the base model's weights, None if the engine cannot prove it."""
        ...

    async def load(self, version: str, folder: Path, proof: Proof | None = None) -> None:
        """Make an adapter available under its version.

        Behind an engine of several servers each one loads it, now or when it comes up, and asks it
        for the proof before agents do.

        Raises:
            AdapterRefused: it cannot be loaded, or the base model's chat template cannot carry the
                format that its manifest names.
            ProbeFailed: it does not pass the proof.
            EngineDown: the engine is stopped or failed.
        """
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
