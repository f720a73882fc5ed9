"""Examples: the token ids an adapter learns are those that serving asks it with."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from gateway.formats.base import FormatRefused
from gateway.formats.known import FORMATS
from gateway.prompt import PromptForm, render, render_answer
from gateway.tokens import prompt_ids
from gateway.types import Message, Toolset
from tests.adapters import support_toolset
from tests.gateway.formats.templates import smollm2, with_template
from training.examples import TooLongError, examples
from training.rows import Row, read_rows

ROOT = Path(__file__).parents[2]
DESK = support_toolset()
TARGET = {"arguments": {"order_id": "ORD-1234"}, "tool": "track_order"}
ROW = Row((Message("user", "where is ORD-1234? ✓"),), TARGET, "call", "desk")


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return smollm2()


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


def test_a_native_example_is_what_the_base_models_own_template_renders():
    qwen3 = with_template("qwen3")
    (made,) = examples([ROW], DESK, "schemas", qwen3, 16_384, "native")
    asked = FORMATS["native"].ask(ROW.messages, DESK, "schemas")
    call = {"name": "track_order", "arguments": {"order_id": "ORD-1234"}}
    turn = {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"type": "function", "function": call}],
    }
    whole = qwen3.apply_chat_template(
        [*asked.messages, turn],
        tools=list(asked.tools or ()),
        enable_thinking=False,
        tokenize=False,
    )
    assert made.input_ids == qwen3.encode(whole.removesuffix("\n"), add_special_tokens=False)
    answer = made.completion_mask.index(1)
    assert made.input_ids[:answer] == prompt_ids(qwen3, asked.messages, asked.tools)
    assert made.input_ids[answer] == qwen3.convert_tokens_to_ids("<tool_call>")


def test_a_native_row_is_shown_its_own_tools():
    offered = Toolset("tools", (DESK.by_name["track_order"],))
    row = dataclasses.replace(ROW, offered=offered)
    qwen3 = with_template("qwen3")
    (made,) = examples([row], DESK, "schemas", qwen3, 16_384, "native")
    text = qwen3.decode(made.input_ids)
    assert text.count('"type": "function"') == 1


def test_a_base_model_without_tools_in_its_template_is_refused_before_any_row_is_read(
    tokenizer: Any,
):
    with pytest.raises(FormatRefused, match="does not render `tools`"):
        examples([], DESK, "schemas", tokenizer, 512, "native")


def test_a_form_that_the_native_format_does_not_show_is_refused():
    with pytest.raises(ValueError, match="shows a toolset as schemas, not 'name'"):
        examples([ROW], DESK, "name", with_template("qwen3"), 512, "native")
