"""What every answer format owns: prompt, language, reading and writing of answers.

The router and the training examples ask the format that the manifest names and know nothing else
of it. Messages carry earlier calls in the JSON of `render_calls`, whatever the format; a format
that writes calls in another way rewrites them. Token ids are made in `gateway.tokens`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from gateway.prompt import PromptForm
from gateway.tokens import Tokenizer
from gateway.types import Message, Route, Toolset

FormatName = Literal["json", "native"]
AnswerWriter = Callable[[Mapping[str, Any], Toolset], str]
"""A target and the toolset on offer -> the text that the model is trained to write.

Raises ValueError for a target that is no answer to the toolset, or that cannot be written."""


class FormatRefused(ValueError):
    """A base model cannot be asked in this format; the message says why."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A conversation as the chat template gets it: messages and, unless None, `tools`."""

    messages: tuple[Mapping[str, Any], ...]
    tools: tuple[Mapping[str, Any], ...] | None = None


@dataclass(frozen=True, slots=True)
class Language:
    """All answers to a toolset, as a JSON Schema or as an llguidance Lark grammar; neither: any."""

    schema: Mapping[str, Any] | None = None
    grammar: str | None = None


class Format(Protocol):
    """One way to ask and to answer. The manifest names it and its version."""

    @property
    def version(self) -> int:
        """Changes whenever a prompt or an answer would be rendered in another way."""
        ...

    @property
    def forms(self) -> Sequence[PromptForm]:
        """How much of the toolset a prompt of this format can show."""
        ...

    def ask(self, messages: Sequence[Message], toolset: Toolset, form: PromptForm) -> Asked:
        """Render the prompt. Raises ValueError for a form that is not among `forms`."""
        ...

    def language(self, toolset: Toolset) -> Language:
        """Every answer to a toolset; no_tool is always one of them."""
        ...

    def parse(self, text: str) -> Route:
        """Read a completion. Never raises: what is no answer becomes a route with `error`."""
        ...

    def writer(self, tokenizer: Tokenizer) -> AnswerWriter:
        """How answers are written for this base model.

        Raises:
            FormatRefused: the base model's chat template cannot carry the format.
        """
        ...
