"""Chat messages -> token ids, the one place where a chat template is applied.

A tokenizer reads control tokens wherever their text stands, so a request that contains
`<|im_end|>` could end its own turn and write the next one. Such text is broken up before the
template is applied: what a message says stays text.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast


class Tokenizer(Protocol):
    """The part of a `transformers` tokenizer that prompts need."""

    eos_token_id: int

    def get_added_vocab(self) -> Mapping[str, int]:
        """The tokens beside the vocabulary proper: control tokens among them."""
        ...

    def apply_chat_template(self, conversation: list[dict[str, str]], **kwargs: Any) -> Any:
        """Render chat messages through the base model's template."""
        ...

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        """Text -> token ids."""
        ...


def prompt_ids(tokenizer: Tokenizer, messages: Sequence[Mapping[str, str]]) -> list[int]:
    """Token ids of a prompt, up to where the answer begins."""
    added = tokenizer.get_added_vocab()
    control = [token for token in added if len(token) > 1 and token == token.strip()]
    plain = [{"role": m["role"], "content": _broken_up(m["content"], control)} for m in messages]
    text = tokenizer.apply_chat_template(plain, tokenize=False, add_generation_prompt=True)
    return tokenizer.encode(cast(str, text), add_special_tokens=False)


def _broken_up(text: str, control: Sequence[str]) -> str:
    """The text with a space in every control token, until none is left."""
    for token in control:
        while token in text:
            text = text.replace(token, f"{token[0]} {token[1:]}")
    return text
