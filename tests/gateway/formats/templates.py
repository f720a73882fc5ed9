"""Tokenizers with the chat templates of well-known base models, without those base models.

The vocabulary is SmolLM2's; its turns begin and end with the same tokens as Qwen's.
"""

import copy
import functools
import importlib.util
from pathlib import Path
from typing import Any

import pytest

BASE_MODEL = Path(__file__).parents[3] / ".models" / "smollm2-135m-instruct"
QWEN_MARKERS = (
    "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>",
)  # fmt: skip


def smollm2() -> Any:
    """The tokenizer as it is: its template knows no tools."""
    return copy.copy(_tokenizer(None))


def with_template(name: str, *, special: bool | None = False) -> Any:
    """The tokenizer with a template that TRL ships.

    Qwen's markers become tokens of their own that are not `special`, as in Qwen's tokenizers;
    `special` True makes them control tokens, None leaves them text.
    """
    trl = importlib.util.find_spec("trl")
    if trl is None or trl.origin is None:
        pytest.skip("trl is not installed, whose chat templates are read here")
    file = Path(trl.origin).parent / "chat_templates" / f"{name}.jinja"
    tokenizer = copy.copy(_tokenizer(special))
    tokenizer.chat_template = file.read_text()
    return tokenizer


@functools.cache
def _tokenizer(special: bool | None) -> Any:
    if not BASE_MODEL.is_dir():
        pytest.skip("the base model is not prepared; `make test` does that")
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(BASE_MODEL)
    if special is not None:
        markers = [
            transformers.AddedToken(text, special=special, normalized=False)
            for text in QWEN_MARKERS
        ]
        tokenizer.add_tokens(markers, special_tokens=special)
    return tokenizer
