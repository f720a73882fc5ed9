"""What a base model's own chat template writes for an answer.

An answer is what the template adds when an assistant turn follows the generation prompt, up to
where it ends the turn. Everything is found by rendering probes; no template is known by name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.formats.base import FormatRefused
from gateway.tokens import Tokenizer, templated
from gateway.types import Call

_TOOL: Mapping[str, Any] = {
    "type": "function",
    "function": {
        "name": "pointsman_probe",
        "description": "A probe.",
        "parameters": {"type": "object", "properties": {"text": {"type": "string"}}},
    },
}
_QUESTION: Mapping[str, Any] = {"role": "user", "content": "probe"}
_PLAIN = "a plain answer"


@dataclass(frozen=True)
class AnswerTemplate:
    """A chat template that renders tools. `opening` and `ending` stand around every answer."""

    tokenizer: Tokenizer
    opening: str
    ending: str

    def answer(self, turn: Mapping[str, Any]) -> str:
        """The text of an assistant turn, without what ends it.

        Raises:
            FormatRefused: the turn does not stand between `opening` and `ending`.
        """
        whole = _rendered(self.tokenizer, [_QUESTION, turn])
        if not (whole.startswith(self.opening) and whole.endswith(self.ending)):
            raise FormatRefused(
                "the base model's chat template renders an answer in another way than it asks for "
                f"one: {whole[-200:]!r}"
            )
        return whole.removeprefix(self.opening).removesuffix(self.ending)


def answer_template(tokenizer: Tokenizer) -> AnswerTemplate:
    """Find out how a base model's template asks for an answer and ends it.

    Raises:
        FormatRefused: there is no chat template, it does not render `tools`, or it puts anything
            but its generation prompt before an answer.
    """
    opening = _rendered(tokenizer, [_QUESTION], generation=True)
    if _TOOL["function"]["name"] not in opening:
        raise FormatRefused(
            "the base model's chat template does not render `tools`; train it in the format json"
        )
    whole = _rendered(tokenizer, [_QUESTION, assistant_turn(_PLAIN)])
    if not whole.startswith(opening + _PLAIN):
        raise FormatRefused(
            "the base model's chat template does not put an answer right after its generation "
            f"prompt, but renders {whole[-200:]!r}"
        )
    return AnswerTemplate(tokenizer, opening, whole.removeprefix(opening + _PLAIN))


def assistant_turn(content: str = "", calls: Sequence[Call] = ()) -> dict[str, Any]:
    """A turn of the assistant in the form that chat templates take."""
    turn: dict[str, Any] = {"role": "assistant", "content": content}
    if calls:
        turn["tool_calls"] = [
            {"type": "function", "function": {"name": call.tool, "arguments": call.arguments}}
            for call in calls
        ]
    return turn


def _rendered(
    tokenizer: Tokenizer, messages: Sequence[Mapping[str, Any]], *, generation: bool = False
) -> str:
    try:
        return templated(tokenizer, messages, (_TOOL,), generation=generation)
    except Exception as exc:
        # A template is foreign code: it raises what Jinja, Python or its author make of a turn.
        raise FormatRefused(f"the base model's chat template fails: {exc}") from exc
