"""Chat messages -> token ids, the one place where a chat template is applied.

A tokenizer reads control tokens wherever their text stands, so a request that contains
`<|im_end|>` could end its own turn and write the next one. Such text is broken up before the
template is applied: what a message or a tool says stays text.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast


class Tokenizer(Protocol):
    """The part of a `transformers` tokenizer that prompts need."""

    eos_token_id: int

    def get_added_vocab(self) -> Mapping[str, int]:
        """The tokens beside the vocabulary proper: control tokens among them."""
        ...

    def apply_chat_template(self, conversation: list[dict[str, Any]], **kwargs: Any) -> Any:
        """Render chat messages through the base model's template."""
        ...

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        """Text -> token ids."""
        ...

    def decode(self, token_ids: list[int], *, skip_special_tokens: bool = False) -> Any:
        """Token ids -> text."""
        ...


Turns = Sequence[Mapping[str, Any]]
"""Messages as chat templates take them, `role`, `content` and perhaps `tool_calls` each; or tools
as OpenAI writes them."""


def prompt_ids(tokenizer: Tokenizer, messages: Turns, tools: Turns | None = None) -> list[int]:
    """Token ids of a prompt, up to where the answer begins."""
    text = templated(tokenizer, messages, tools, generation=True)
    return tokenizer.encode(text, add_special_tokens=False)


def prefix_ids(tokenizer: Tokenizer, messages: Turns, tools: Turns | None = None) -> list[int]:
    """Token ids of the first message alone, as which most templates begin every prompt of it."""
    text = templated(tokenizer, messages[:1], tools, generation=False)
    return tokenizer.encode(text, add_special_tokens=False)


def templated(
    tokenizer: Tokenizer, messages: Turns, tools: Turns | None, *, generation: bool
) -> str:
    """The text of a conversation; with `generation` up to where the answer begins.

    With `tools`, the template shows them itself, and a base model that can think is told not to.
    """
    added = tokenizer.get_added_vocab()
    control = [token for token in added if len(token) > 1 and token == token.strip()]
    plain = [{**_broken_up(message, control), "role": message["role"]} for message in messages]
    shown: dict[str, Any] = (
        {} if tools is None else {"tools": _broken_up(tools, control), "enable_thinking": False}
    )
    text = tokenizer.apply_chat_template(
        plain, tokenize=False, add_generation_prompt=generation, **shown
    )
    return cast(str, text)


def _broken_up(value: Any, control: Sequence[str]) -> Any:
    """The value with a space in every control token of its texts, until none is left."""
    if isinstance(value, Mapping):
        members = cast(Mapping[str, Any], value)
        return {_broken_up(k, control): _broken_up(v, control) for k, v in members.items()}
    if isinstance(value, list | tuple):
        return [_broken_up(item, control) for item in cast(Sequence[Any], value)]
    if not isinstance(value, str):
        return value
    for token in control:
        while token in value:
            value = value.replace(token, f"{token[0]} {token[1:]}")
    return value
