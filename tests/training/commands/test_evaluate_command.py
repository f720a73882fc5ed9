"""`pointsman evaluate`: what it refuses before it grades, and the files it leaves."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gateway.cli import build
from gateway.engines.scripted import ScriptedEngine
from gateway.manifest import read_adapter
from tests.adapters import write_adapter
from training.commands.evaluate import write_files
from training.evaluate import evaluate
from training.rows import read_rows

ROW = {"request": "hello", "target": {"tool": "no_tool", "reason": "chat"}}


def run(tmp_path: Path, *options: str, rows: str = json.dumps(ROW)) -> Result:
    write_adapter(tmp_path / "adapter")
    (tmp_path / "rows.jsonl").write_text(rows)
    given = ["--adapter", str(tmp_path / "adapter"), "--data", str(tmp_path / "rows.jsonl")]
    return CliRunner().invoke(build(), ["evaluate", *given, *options])


def test_no_rows_are_refused_with_one_line(tmp_path: Path) -> None:
    ran = run(tmp_path, rows="\n")
    assert ran.exit_code == 1
    assert ran.stderr == f"pointsman: {tmp_path / 'rows.jsonl'}: no rows\n"


def test_an_empty_folder_of_rows_is_refused_as_json_too(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    ran = run(tmp_path, "--data", str(tmp_path / "none"), "--json")
    assert ran.exit_code == 1
    assert json.loads(ran.stdout)["detail"] == f"{tmp_path / 'none'}: no rows"


@pytest.mark.parametrize("option", ["--teacher", "--teacher-model"])
def test_half_a_teacher_is_bad_usage(tmp_path: Path, option: str) -> None:
    ran = run(tmp_path, option, "x")
    assert ran.exit_code == 2
    assert "go together" in ran.stderr


def test_a_teacher_that_cannot_be_asked_is_refused_before_the_engine_starts(
    tmp_path: Path,
) -> None:
    ran = run(tmp_path, "--teacher", "llm.test", "--teacher-model", "big")
    assert ran.exit_code == 1
    assert "the teacher's URL must begin with http" in ran.stderr


@pytest.mark.parametrize("option", ["--out", "--html"])
def test_a_file_that_cannot_be_written_is_told_before_grading(tmp_path: Path, option: str) -> None:
    for place in (tmp_path / "nowhere" / "report", tmp_path):
        ran = run(tmp_path, option, str(place))
        assert ran.exit_code == 1
        assert f"{place}: no file can be written there" in ran.stderr


async def test_the_report_is_written_as_json_and_as_a_page(tmp_path: Path) -> None:
    adapter = read_adapter(write_adapter(tmp_path / "adapter"))
    (tmp_path / "rows.jsonl").write_text(json.dumps(ROW))
    engine = ScriptedEngine()
    await engine.load(adapter.version, adapter.folder)
    rows = read_rows(tmp_path / "rows.jsonl", adapter.toolset)
    report: dict[str, Any] = await evaluate(engine, adapter, rows)
    manifest = adapter.manifest.model_dump(mode="json")
    write_files(report, manifest, tmp_path / "report.json", tmp_path / "report.html")
    assert json.loads((tmp_path / "report.json").read_text()) == report
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert adapter.version in page
