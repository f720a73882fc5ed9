"""Chat messages -> token ids, the one place where a chat template is applied."""

from collections.abc import Sequence
from typing import Any, Protocol, cast


class Tokenizer(Protocol):
    """The part of a `transformers` tokenizer that prompts need."""

    eos_token_id: int

    def apply_chat_template(self, conversation: list[dict[str, str]], **kwargs: Any) -> Any:
        """Render chat messages through the base model's template."""
        ...

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        """Text -> token ids."""
        ...


def prompt_ids(tokenizer: Tokenizer, messages: Sequence[dict[str, str]]) -> list[int]:
    """Token ids of a prompt, up to where the answer begins."""
    text = cast(
        str,
        tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True),
    )
    return tokenizer.encode(text, add_special_tokens=False)
