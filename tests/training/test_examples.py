"""Examples: the token ids an adapter learns are those that serving asks it with."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from gateway.prompt import PromptForm, render, render_answer
from gateway.tokens import prompt_ids
from gateway.types import Message
from tests.adapters import support_toolset
from training.examples import TooLongError, examples
from training.rows import Row, read_rows

ROOT = Path(__file__).parents[2]
BASE_MODEL = ROOT / ".models" / "smollm2-135m-instruct"
DESK = support_toolset()
TARGET = {"arguments": {"order_id": "ORD-1234"}, "tool": "track_order"}
ROW = Row((Message("user", "where is ORD-1234? ✓"),), TARGET, "call", "desk")


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    if not BASE_MODEL.is_dir():
        pytest.skip("the base model is not prepared; `make test` does that")
    transformers = pytest.importorskip("transformers")
    return transformers.AutoTokenizer.from_pretrained(BASE_MODEL)


@pytest.mark.parametrize("form", ["name", "lines", "schemas"])
def test_an_example_is_the_prompt_of_serving_then_the_answer_then_the_end(
    tokenizer: Any, form: PromptForm
):
    (made,) = examples([ROW], DESK, form, tokenizer, 4_096)
    served = prompt_ids(tokenizer, render(ROW.messages, DESK, form))
    assert made.input_ids[: len(served)] == served
    answer = made.input_ids[len(served) :]
    assert tokenizer.decode(answer[:-1]) == render_answer(TARGET, DESK)
    assert answer[-1] == tokenizer.eos_token_id
    assert made.completion_mask == [0] * len(served) + [1] * len(answer)


def test_the_prompt_reads_as_the_chat_template_writes_it(tokenizer: Any):
    text = tokenizer.decode(prompt_ids(tokenizer, render(ROW.messages, DESK, "name")))
    assert text == (
        "<|im_start|>system\n"
        f"Route the request to the tools of {DESK.name}. Answer in JSON.<|im_end|>\n"
        "<|im_start|>user\nwhere is ORD-1234? ✓<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_the_token_ids_are_these(tokenizer: Any):
    (made,) = examples([ROW], DESK, "name", tokenizer, 4_096)
    assert made.input_ids[:4] == [1, 9690, 198, 31655]
    assert made.input_ids[-1] == 2
    whole = tokenizer.decode(made.input_ids)
    assert whole.endswith(
        '{"tool": "track_order", "arguments": {"order_id": "ORD-1234"}}<|im_end|>'
    )


def test_a_row_that_does_not_fit_is_an_error_that_names_it(tokenizer: Any):
    (made,) = examples([ROW], DESK, "name", tokenizer, 4_096)
    length = len(made.input_ids)
    assert examples([ROW], DESK, "name", tokenizer, length) == [made]
    long = dataclasses.replace(ROW, voice="mails")
    with pytest.raises(TooLongError, match=rf"mails: {length} tokens, the limit is {length - 1}"):
        examples([long], DESK, "name", tokenizer, length - 1)


def test_a_long_row_among_short_ones_is_found(tokenizer: Any):
    long = dataclasses.replace(ROW, messages=(Message("user", "please " * 400),))
    with pytest.raises(TooLongError, match="please please"):
        examples([ROW, long, ROW], DESK, "name", tokenizer, 256)


def test_every_row_we_train_with_fits_and_ends_in_its_answer(tokenizer: Any):
    rows = read_rows(ROOT / "training" / "data" / "support" / "validation", DESK)
    for row, made in zip(rows, examples(rows, DESK, "name", tokenizer, 512), strict=True):
        answer = [
            token
            for token, learned in zip(made.input_ids, made.completion_mask, strict=True)
            if learned
        ]
        assert tokenizer.decode(answer[:-1]) == render_answer(row.target, DESK)
