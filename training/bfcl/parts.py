"""Rows of BFCL's training part, parted once more by tool: some to train on, some to validate with.

What is held out of both is the test part of `training.bfcl.splits` with its own seed, whatever the
seed here, so no run learns what another is asked.
"""

import random
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.manifest import OFFERED
from gateway.tokens import Tokenizer
from gateway.types import Toolset
from training.bfcl.files import PACKAGE, BfclError, read_cases
from training.bfcl.splits import split
from training.examples import examples
from training.imports.bfcl import read
from training.imports.gate import gate
from training.rows import Row
from training.settings import Settings

VALIDATION_SHARE = 0.1
NO_TOOLSET = Toolset(OFFERED, ())
"""What rows are read for that each carry their own tools."""


@dataclass(frozen=True)
class Parts:
    """Rows to train on and to validate with, no tool in both; `counts`: what became of all cases.

    Of `counts`, `cases` is the sum of `held_out`, `refused`, `too_long`, `left_over`, `train` and
    `validation`; `train_by_voice` tells a part's rows by the category they come from.
    """

    train: tuple[Row, ...]
    validation: tuple[Row, ...]
    counts: Mapping[str, Any]


def parts(data: Path, tokenizer: Tokenizer, most: int, settings: Settings) -> Parts:
    """At most `most` rows to train on, and a tenth of that to validate with.

    Rows of more than `settings.max_length` tokens are left out. The same data, `most` and
    `settings.seed` give the same rows.

    Raises:
        BfclError: the data cannot be used, or no row is left for one of the two parts.
    """
    cases = read_cases(data)
    trained = split(cases).train
    apart = split(trained, seed=settings.seed, test_share=VALIDATION_SHARE).test
    places = {case.place for case in apart}
    rows = gate(read(data), NO_TOOLSET, PACKAGE).rows
    short = fitting(rows, tokenizer, settings)
    rng = random.Random(settings.seed)
    train = _some([row for row in short if row.place not in places], most, rng)
    validation = _some([row for row in short if row.place in places], max(1, most // 10), rng)
    if not train or not validation:
        raise BfclError(f"{data}: no row is left to {'validate with' if train else 'train on'}")
    counts = {
        "cases": len(cases),
        "held_out": len(cases) - len(trained),
        "refused": len(trained) - len(rows),
        "too_long": len(rows) - len(short),
        "left_over": len(short) - len(train) - len(validation),
        "train": len(train),
        "validation": len(validation),
        "train_by_voice": dict(Counter(row.voice for row in train)),
    }
    return Parts(train, validation, counts)


def fitting(rows: Sequence[Row], tokenizer: Tokenizer, settings: Settings) -> list[Row]:
    """The rows of at most `settings.max_length` tokens, prompt and answer together."""
    made = examples(rows, NO_TOOLSET, settings.form, tokenizer, sys.maxsize, settings.format)
    return [
        row
        for row, example in zip(rows, made, strict=True)
        if len(example.input_ids) <= settings.max_length
    ]


def _some(rows: Sequence[Row], most: int, rng: random.Random) -> tuple[Row, ...]:
    """At most `most` rows by chance, in the order they came in."""
    chosen = rng.sample(range(len(rows)), min(most, len(rows)))
    return tuple(rows[number] for number in sorted(chosen))
