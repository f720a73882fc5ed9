"""The format `json`: one JSON object of our own, for any base model (DESIGN 5.1)."""

from collections.abc import Sequence

from gateway.formats.base import AnswerWriter, Asked, Language
from gateway.grammar import answer_schema, parse_answer
from gateway.prompt import PROMPT_VERSION, PromptForm, render, render_answer
from gateway.tokens import Tokenizer
from gateway.types import Message, Route, Toolset


class JsonFormat:
    """The toolset stands in our system message, the answer is a JSON object."""

    version = PROMPT_VERSION
    forms: Sequence[PromptForm] = ("schemas", "lines", "name")

    def ask(self, messages: Sequence[Message], toolset: Toolset, form: PromptForm) -> Asked:
        """Our system message and the conversation's last turns."""
        return Asked(tuple(render(messages, toolset, form)))

    def language(self, toolset: Toolset) -> Language:
        """The JSON Schema of the answers."""
        return Language(schema=answer_schema(toolset))

    def parse(self, text: str) -> Route:
        """Read the JSON object."""
        return parse_answer(text)

    def writer(self, tokenizer: Tokenizer) -> AnswerWriter:
        """The same text for every base model; refuses none."""
        return render_answer
