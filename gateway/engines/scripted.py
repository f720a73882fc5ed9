"""An engine without a model: answers that its user wrote down beforehand.

Shipped for tests of everything around a model, ours and our users'. Never a default.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gateway.engines.base import Completion, Prompt, Proof, ReplicaStatus, Token
from gateway.errors import ConversationTooLong, UnknownModel
from gateway.types import Usage

Answer = str | Mapping[str, Any]


class ScriptedEngine:
    """Answers each prompt from a table, keyed by the last message's text, or by a function.

    A text without an entry is answered with no_tool. Answers that are no texts are written in the
    format `json`.
    """

    def __init__(
        self,
        answers: Mapping[str, Answer] | Callable[[Prompt], Answer] = {},  # noqa: B006 - read only
        *,
        logprob: float = 0.0,
        digest: str | None = None,
    ) -> None:
        self._answers = answers
        self._logprob = logprob
        self._digest = digest
        self.loaded: dict[str, Path] = {}
        self.prompts: list[Prompt] = []

    @property
    def status(self) -> Sequence[ReplicaStatus]:
        """Nothing: it runs here."""
        return ()

    async def start(self) -> None:
        """Nothing to get ready."""

    async def close(self) -> None:
        """Nothing to release."""

    async def weights_digest(self) -> str | None:
        """The digest given to the constructor."""
        return self._digest

    async def load(self, version: str, folder: Path, proof: Proof | None = None) -> None:
        """Remember the adapter."""
        self.loaded[version] = folder
        if proof is not None:
            await proof(self)

    async def unload(self, version: str) -> None:
        """Forget the adapter."""
        self.loaded.pop(version, None)

    async def complete(self, prompt: Prompt) -> Completion:
        """The answer written down for the prompt's last message."""
        if prompt.adapter is not None and prompt.adapter not in self.loaded:
            raise UnknownModel(f"adapter {prompt.adapter} is not loaded")
        # A word is about a token; enough for a limit that tests can reach.
        words = sum(len(message["content"].split()) for message in prompt.messages)
        if words > prompt.max_prompt_tokens:
            raise ConversationTooLong(
                f"the conversation has {words} tokens, at most {prompt.max_prompt_tokens} fit"
            )
        self.prompts.append(prompt)
        if callable(self._answers):
            answer = self._answers(prompt)
        else:
            nothing = {"tool": "no_tool", "reason": "nothing is scripted for this request"}
            answer = self._answers.get(prompt.messages[-1]["content"], nothing)
        text = answer if isinstance(answer, str) else json.dumps(answer)
        tokens = (Token(text.encode(), self._logprob),)
        return Completion(text, tokens, Usage(words, len(text.split())))
