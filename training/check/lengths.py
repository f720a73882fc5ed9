"""Token lengths against the limit: what does not fit would be cut, and cutting is an error.

The tokens are those of `training.examples`, so of training and of serving. Beside the limit in
tokens, a prompt shows the last turns of a conversation and the beginning of a tool's result alone
(`gateway.prompt`); a row that is longer there is cut in silence too, whatever the tokenizer.
"""

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.formats.base import FormatName
from gateway.prompt import HISTORY_TURNS, TOOL_RESULT_CHARS, PromptForm
from gateway.tokens import Tokenizer
from gateway.types import Toolset
from training.check.masks import Masked
from training.check.report import Finding, shown
from training.examples import examples


@dataclass(frozen=True)
class Limit:
    """The most tokens that a row may have, prompt and answer together, and how they are counted."""

    tokenizer: Tokenizer
    form: PromptForm = "name"
    max_length: int = 512
    format: FormatName = "json"


def token_lengths(
    rows: Sequence[Masked], toolset: Toolset, limit: Limit
) -> tuple[dict[str, Any], list[Finding]]:
    """`{prompt, answer, all}`, each `{p50, p95, max, total}` in tokens, and the rows too long."""
    made = examples(
        [item.row for item in rows], toolset, limit.form, limit.tokenizer, sys.maxsize,
        format=limit.format,
    )  # fmt: skip
    answers = [sum(example.completion_mask) for example in made]
    whole = [len(example.input_ids) for example in made]
    prompts = [total - answer for total, answer in zip(whole, answers, strict=True)]
    long = [
        Finding(
            "error",
            "too_long",
            f"{length} tokens, the limit is {limit.max_length}: {shown(item.row.text)}",
            (item.place,),
        )
        for item, length in zip(rows, whole, strict=True)
        if length > limit.max_length
    ]
    counted = {"prompt": prompts, "answer": answers, "all": whole}
    return {name: _summary(lengths) for name, lengths in counted.items()}, long


def cut_findings(item: Masked) -> Iterator[Finding]:
    """What a prompt would leave out of a row's conversation."""
    turns = [turn for turn in item.row.messages if turn.role != "system"]
    if len(turns) > HISTORY_TURNS:
        detail = f"{len(turns)} turns, a prompt shows the last {HISTORY_TURNS}"
        yield Finding("error", "cut", f"{detail}: {shown(item.row.text)}", (item.place,))
    longest = max((len(t.content) for t in turns if t.role == "tool"), default=0)
    if longest > TOOL_RESULT_CHARS:
        detail = f"a tool result of {longest} characters, a prompt shows {TOOL_RESULT_CHARS}"
        yield Finding("error", "cut", f"{detail}: {shown(item.row.text)}", (item.place,))


def _summary(lengths: Sequence[int]) -> dict[str, int]:
    """Nearest-rank percentiles, so that each is the length of some row."""
    ordered = sorted(lengths)
    p50, p95 = (ordered[max(math.ceil(share * len(ordered)) - 1, 0)] for share in (0.5, 0.95))
    return {"p50": p50, "p95": p95, "max": ordered[-1], "total": sum(ordered)}
