"""The second stage: preference pairs move the adapter of a first stage, for real."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch: Any = pytest.importorskip("torch")
pytest.importorskip("trl")

from safetensors.torch import load_file  # noqa: E402

from gateway.types import Toolset  # noqa: E402
from tests.training.folders import run_folder  # noqa: E402
from tests.training.tiny import TOOLSET, write_base_model, write_rows  # noqa: E402
from training.dpo import SecondStage, refine  # noqa: E402
from training.publish import unpublished  # noqa: E402
from training.run import RunMismatch  # noqa: E402
from training.settings import Settings  # noqa: E402
from training.sft import train  # noqa: E402


def test_a_second_stage_goes_on_from_the_first_and_says_so(tmp_path: Path):
    toolset = Toolset.from_json(json.loads(TOOLSET.read_text()))
    base = write_base_model(tmp_path / "base")
    rows = write_rows(tmp_path / "train.jsonl", 0, 64, "tricky")
    held_out = write_rows(tmp_path / "validation.jsonl", 64, 72, "tricky")
    settings = Settings(rank=8, learning_rate=1e-3, batch_size=8)
    first = train(toolset, rows, held_out, base, tmp_path / "first", settings)
    stage = SecondStage(pairs=8, learning_rate=1e-3, batch_size=4)

    second = refine(toolset, rows, base, first, tmp_path / "second", stage)

    record = json.loads((second / "settings.json").read_text())
    assert record["second_stage"]["made"] == 8
    assert record["second_stage"]["log"]
    assert record["settings"]["rank"] == 8
    before, after = (load_file(run / "adapter_model.safetensors") for run in (first, second))
    assert before.keys() == after.keys()
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert unpublished(second, tmp_path / "folder", toolset).manifest.settings["rank"] == 8

    written = (second / "adapter_model.safetensors").stat().st_mtime_ns
    assert refine(toolset, rows, base, first, second, stage) == second
    assert (second / "adapter_model.safetensors").stat().st_mtime_ns == written
    with pytest.raises(RunMismatch, match=r"second holds another run.*pairs is 9, was 8"):
        refine(toolset, rows, base, first, second, replace(stage, pairs=9))


def test_a_second_stage_is_of_the_toolset_and_the_base_model_of_the_first(tmp_path: Path):
    toolset = Toolset.from_json(json.loads(TOOLSET.read_text()))
    rows = write_rows(tmp_path / "train.jsonl", 0, 1)
    base = write_base_model(tmp_path / "base")
    first = run_folder(tmp_path / "first", learned={"base_model": "a" * 64})
    with pytest.raises(RunMismatch, match="first was trained on base_model aaaaaaaa, not "):
        refine(toolset, rows, base, first, tmp_path / "second", SecondStage())
    first = run_folder(tmp_path / "first", toolset_mode="varied", form="lines")
    with pytest.raises(ValueError, match="first learned varied tools"):
        refine(toolset, rows, base, first, tmp_path / "second", SecondStage())


def test_rows_that_give_no_pairs_are_an_error(tmp_path: Path):
    toolset = Toolset.from_json(json.loads(TOOLSET.read_text()))
    rows = write_rows(tmp_path / "train.jsonl", 0, 1)
    first = tmp_path / "first"
    first.mkdir()
    record = {"settings": {"init_from": None}}
    (first / "settings.json").write_text(json.dumps(record))
    base = write_base_model(tmp_path / "base")
    with pytest.raises(ValueError, match="there are no pairs"):
        refine(toolset, rows, base, first, tmp_path / "second", SecondStage())
