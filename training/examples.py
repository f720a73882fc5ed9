"""Rows -> token ids: what the adapter is trained on, exactly as serving will ask it."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.formats.base import AnswerWriter, Format, FormatName
from gateway.formats.known import FORMATS
from gateway.prompt import PromptForm
from gateway.tokens import Tokenizer, prompt_ids
from gateway.types import Toolset
from training.rows import Row


class TooLongError(ValueError):
    """A row does not fit the token limit; cutting it would cut the answer off."""


@dataclass(frozen=True)
class Example:
    """`input_ids` holds prompt and answer; `completion_mask` is 1 on the answer's tokens."""

    input_ids: list[int]
    completion_mask: list[int]


def examples(
    rows: Sequence[Row],
    toolset: Toolset,
    form: PromptForm,
    tokenizer: Tokenizer,
    max_length: int,
    format: FormatName = "json",
) -> list[Example]:
    """Tokenize rows; the answer ends with the tokenizer's end-of-sequence token.

    A row that carries its own tools is rendered with them, any other with `toolset`.

    Raises:
        FormatRefused: the base model's chat template cannot carry the format.
        ValueError: the format does not show `form`, or cannot write a row's target.
        TooLongError: an example is longer than `max_length` tokens; the message names the row.
    """
    chosen = FORMATS[format]
    write = chosen.writer(tokenizer)
    made = [_example(row, toolset, form, tokenizer, chosen, write) for row in rows]
    for row, example in zip(rows, made, strict=True):
        if len(example.input_ids) > max_length:
            raise TooLongError(
                f"{row.voice}: {len(example.input_ids)} tokens, the limit is {max_length}: "
                f"{row.text[:80]!r}"
            )
    return made


def _example(
    row: Row,
    toolset: Toolset,
    form: PromptForm,
    tokenizer: Tokenizer,
    format: Format,
    write: AnswerWriter,
) -> Example:
    offered = row.offered or toolset
    asked = format.ask(row.messages, offered, form)
    prompt = prompt_ids(tokenizer, asked.messages, asked.tools)
    answer = tokenizer.encode(write(row.target, offered), add_special_tokens=False)
    answer.append(tokenizer.eos_token_id)
    return Example(prompt + answer, [0] * len(prompt) + [1] * len(answer))
