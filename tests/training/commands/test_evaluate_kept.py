"""`pointsman evaluate --out`: what was graded is told, and kept until the report is written."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

pytest.importorskip("peft")

from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from gateway.cli import build
from gateway.types import Toolset
from tests.adapters import support_toolset, write_adapter
from tests.training.tiny import write_base_model

ROW = {"request": "hello", "target": {"tool": "no_tool", "reason": "chat"}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    base = write_base_model(tmp_path / "base")
    write_adapter(tmp_path / "adapter", Toolset("desk", support_toolset().tools[:1]))
    config = LoraConfig(r=8, target_modules="all-linear", task_type="CAUSAL_LM")
    get_peft_model(AutoModelForCausalLM.from_pretrained(base), config).save_pretrained(
        tmp_path / "adapter"
    )
    (tmp_path / "rows.jsonl").write_text(json.dumps(ROW))
    return tmp_path


def evaluate(folder: Path) -> Result:
    given = [
        "--adapter", folder / "adapter", "--data", folder / "rows.jsonl",
        "--base-model", folder / "base", "--no-base", "--out", folder / "report.json", "--json",
    ]  # fmt: skip
    return CliRunner().invoke(build(), ["evaluate", *map(str, given)])


def test_a_report_that_cannot_be_written_is_told_and_nothing_is_asked_again(folder: Path) -> None:
    (folder / "report.json").symlink_to(folder / "nowhere" / "report.json")
    first = evaluate(folder)
    assert first.exit_code == 1
    assert "report.json" in first.stderr
    graded = json.loads(first.stdout)

    (folder / "nowhere").mkdir()
    again = evaluate(folder)
    assert again.exit_code == 0
    # Latencies too are those of the first time.
    assert json.loads(again.stdout) == json.loads((folder / "report.json").read_text()) == graded
    assert sorted(path.name for path in folder.glob(".*")) == []
