"""Lengths: what does not fit is an error that names the row."""

from collections.abc import Mapping
from typing import Any

from gateway.prompt import HISTORY_TURNS, TOOL_RESULT_CHARS
from tests.training.check.made import DESK, item, no_tool, track
from training.check.lengths import Limit, cut_findings, token_lengths
from training.examples import examples


class WordTokenizer:
    """A token a word; the chat template puts each turn on a line."""

    eos_token_id = 0

    def get_added_vocab(self) -> Mapping[str, int]:
        return {}

    def apply_chat_template(self, conversation: list[dict[str, str]], **kwargs: Any) -> str:
        return "\n".join(f"{turn['role']} {turn['content']}" for turn in conversation)

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        return [len(word) for word in text.split()]


WORDS = WordTokenizer()


def test_the_lengths_are_those_of_the_examples_that_training_makes():
    rows = [item("hi", no_tool()), item("where is 4821 " + "please " * 20, track("ORD-4821"))]
    figures, too_long = token_lengths(rows, DESK, Limit(WORDS))
    made = examples([made.row for made in rows], DESK, "name", WORDS, 999)
    lengths = [len(example.input_ids) for example in made]
    assert not too_long
    assert figures["all"] == {
        "p50": min(lengths), "p95": max(lengths), "max": max(lengths), "total": sum(lengths)
    }  # fmt: skip
    assert figures["prompt"]["total"] + figures["answer"]["total"] == sum(lengths)
    assert figures["answer"]["total"] == sum(sum(e.completion_mask) for e in made)


def test_a_row_over_the_limit_is_an_error_and_none_is_dropped():
    rows = [item("hi", no_tool()), item("hi " * 50, no_tool(), place="a:2")]
    figures, _ = token_lengths(rows, DESK, Limit(WORDS))
    longest = figures["all"]["max"]
    assert not token_lengths(rows, DESK, Limit(WORDS, max_length=longest))[1]
    shorter, (error,) = token_lengths(rows, DESK, Limit(WORDS, max_length=longest - 1))
    assert (error.severity, error.rule, error.places) == ("error", "too_long", ("a:2",))
    assert f"{longest} tokens, the limit is {longest - 1}" in error.detail
    assert shorter == figures


def test_the_prompt_s_form_counts():
    rows = [item("hi", no_tool())]
    short, _ = token_lengths(rows, DESK, Limit(WORDS, "name"))
    long, _ = token_lengths(rows, DESK, Limit(WORDS, "schemas"))
    assert long["prompt"]["max"] > short["prompt"]["max"]


def test_turns_and_tool_results_that_a_prompt_leaves_out_are_errors():
    turns: list[Any] = [("user", "hi")] * HISTORY_TURNS
    assert not list(cut_findings(item([("system", "x"), *turns], no_tool())))
    (many,) = cut_findings(item([*turns, ("user", "bye")], no_tool()))
    assert (many.severity, many.rule) == ("error", "cut")
    result = "x" * TOOL_RESULT_CHARS
    assert not list(cut_findings(item([("tool", result), ("user", "hi")], no_tool())))
    (long,) = cut_findings(item([("tool", result + "x"), ("user", "hi")], no_tool()))
    assert long.rule == "cut"
