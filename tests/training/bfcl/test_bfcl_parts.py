"""Rows of BFCL's training part: parted by tool, short enough, the same for one seed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.training.bfcl.samples import entry, function, write
from training.bfcl.files import BfclError, read_cases
from training.bfcl.parts import Parts, fitting, parts
from training.bfcl.splits import split
from training.rows import Row
from training.settings import Settings

SETTINGS = Settings(form="schemas", toolset_mode="varied", max_length=60)


class Words:
    """A tokenizer: a token a word; the chat template puts each turn on a line."""

    eos_token_id = 0

    def get_added_vocab(self) -> Mapping[str, int]:
        return {}

    def apply_chat_template(self, conversation: list[dict[str, Any]], **kwargs: Any) -> str:
        return "\n".join(f"{turn['role']} {turn['content']}" for turn in conversation)

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        return [len(word) for word in text.split()]

    def decode(self, token_ids: list[int], *, skip_special_tokens: bool = False) -> str:
        return " ".join("x" * number for number in token_ids)


def data(folder: Path, count: int = 60, *, long: Sequence[int] = ()) -> Path:
    """Trips by as many tools; every fifth case is one that no tool answers."""
    calls: list[Any] = []
    others: list[Any] = []
    for number in range(count):
        tool = function(f"go.by{number}", "city", city="string")
        request = f"Trip {number} to Rome" + " please" * (100 if number in long else 0)
        truth = [{f"go.by{number}": {"city": ["Rome"]}}]
        (others if number % 5 == 0 else calls).append(
            entry(f"c{number}", request, [tool], None if number % 5 == 0 else truth)
        )
    return write(folder, {"simple_python": calls, "irrelevance": others})


def made(folder: Path, most: int = 1_000, **changes: Any) -> Parts:
    return parts(folder, Words(), most, replace(SETTINGS, **changes))


def tools(rows: Sequence[Row]) -> set[str]:
    return {name for row in rows if row.offered for name in row.offered.by_name}


def test_no_tool_is_in_two_of_the_three_parts(tmp_path: Path) -> None:
    folder = data(tmp_path)
    held_out = {
        name for case in split(read_cases(folder)).test for name in case.offer.toolset.by_name
    }
    assert len(held_out) == 18
    for seed in range(5):
        found = made(folder, seed=seed)
        assert (len(found.train), len(found.validation)) == (38, 4)
        assert not tools(found.train) & tools(found.validation)
        assert not (tools(found.train) | tools(found.validation)) & held_out


def test_rows_that_are_too_long_are_left_out_and_counted(tmp_path: Path) -> None:
    folder = data(tmp_path, long=range(0, 60, 3))
    found = made(folder)
    trained = split(read_cases(folder)).train
    long = sum(case.messages[0].content.endswith("please") for case in trained)
    assert found.counts["too_long"] == long > 0
    assert not [row for row in (*found.train, *found.validation) if row.text.endswith("please")]


def test_a_row_of_exactly_the_longest_length_fits(tmp_path: Path) -> None:
    rows = made(data(tmp_path)).train
    lengths = [
        next(n for n in range(1, 99) if fitting([row], Words(), replace(SETTINGS, max_length=n)))
        for row in rows
    ]
    assert len(fitting(rows, Words(), replace(SETTINGS, max_length=max(lengths)))) == len(rows)
    assert len(fitting(rows, Words(), replace(SETTINGS, max_length=max(lengths) - 1))) < len(rows)


def test_the_counts_account_for_every_case(tmp_path: Path) -> None:
    counts = dict(made(data(tmp_path, long=[3, 4]), 10).counts)
    by_voice = counts.pop("train_by_voice")
    assert counts["cases"] == sum(counts.values()) - counts["cases"] == 60
    assert (counts["train"], counts["validation"]) == (10, 1)
    assert sum(by_voice.values()) == 10
    assert set(by_voice) <= {"bfcl_simple_python", "bfcl_irrelevance"}


def test_the_seed_decides_which_rows_are_taken(tmp_path: Path) -> None:
    folder = data(tmp_path)
    assert made(folder, 10) == made(folder, 10)
    assert made(folder, 10, seed=8).train != made(folder, 10).train
    validated = [sorted(tools(made(folder, seed=seed).validation)) for seed in range(5)]
    assert validated != [validated[0]] * 5


def test_data_that_leaves_no_row_for_a_part_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BfclError, match="no row is left to validate with"):
        made(data(tmp_path / "few", 5))
    with pytest.raises(BfclError, match="no row is left to train on"):
        made(data(tmp_path / "long"), max_length=5)
