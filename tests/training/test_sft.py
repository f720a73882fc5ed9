"""Supervised training: the rows as a run learns them, and the record that it leaves."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("trl")

from gateway.weights import weights_digest
from tests.gateway.formats.templates import smollm2
from tests.training.check.made import DESK, no_tool, row, track
from tests.training.tiny import write_base_model, write_rows
from training.rows import Row, ToolsetMismatch, row_json
from training.run import read_record
from training.settings import Settings
from training.sft import read_learned, tokenize, train

ROWS = [row("where is ORD-1001", track("ORD-1001")), row("hello", no_tool())]
OWN = [replace(each, offered=DESK) for each in ROWS]
VARIED = Settings(toolset_mode="varied", form="lines")


def write(file: Path, rows: list[Row]) -> Path:
    file.write_text("".join(json.dumps(row_json(each)) + "\n" for each in rows))
    return file


def test_a_row_that_repeats_its_toolset_is_learned_as_it_is_served(tmp_path: Path) -> None:
    learned = read_learned(write(tmp_path / "own.jsonl", OWN), DESK, Settings())
    assert all(each.offered is None for each in learned)
    tokenizer = smollm2()
    assert tokenize(learned, DESK, Settings(), tokenizer) == tokenize(
        ROWS, DESK, Settings(), tokenizer
    )


def test_the_tools_of_varied_rows_are_what_is_learned(tmp_path: Path) -> None:
    learned = read_learned(write(tmp_path / "own.jsonl", OWN), DESK, VARIED)
    assert all(each.offered is not None for each in learned)
    with pytest.raises(ToolsetMismatch, match="carry no tools of their own"):
        read_learned(write(tmp_path / "none.jsonl", ROWS), DESK, VARIED)


def test_a_finished_run_says_which_toolset_it_learned_and_on_which_base_model(
    tmp_path: Path,
) -> None:
    base = write_base_model(tmp_path / "base")
    rows = write_rows(tmp_path / "rows.jsonl", 0, 4)
    settings = Settings(rank=8, epochs=1.0, batch_size=4)
    record = read_record(train(DESK, rows, rows, base, tmp_path / "run", settings))
    assert (record["toolset"], record["base_model"]) == (DESK.fingerprint, weights_digest(base))
