"""`pointsman publish`: what it refuses on its command line."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

pytest.importorskip("torch")

from gateway.cli import build
from tests.adapters import SUPPORT, support_toolset
from tests.training.folders import base_model, run_folder

ROW = {
    "request": "hello",
    "target": {"tool": "no_tool", "reason": "chat"},
    "toolset": support_toolset().fingerprint,
}


def publish(tmp_path: Path, *options: object) -> Result:
    (tmp_path / "rows.jsonl").write_text(json.dumps(ROW))
    given = [
        "--run", run_folder(tmp_path / "run"), "--out", tmp_path / "out", "--toolset", SUPPORT,
        "--validation", tmp_path / "rows.jsonl", "--test", tmp_path / "rows.jsonl",
        "--base-model", base_model(tmp_path / "base"),
    ]  # fmt: skip
    return CliRunner().invoke(build(), ["publish", *map(str, [*given, *options])])


def test_a_comparison_that_is_asked_for_and_switched_off_is_bad_usage(tmp_path: Path) -> None:
    ran = publish(tmp_path, "--against", tmp_path / "run", "--no-compare")
    assert ran.exit_code == 2
    assert "not both" in ran.stderr


def test_a_version_in_service_that_is_none_is_refused_before_the_engine_starts(
    tmp_path: Path,
) -> None:
    ran = publish(tmp_path, "--against", tmp_path / "nowhere", "--json")
    assert ran.exit_code == 1
    assert json.loads(ran.stdout)["code"] == "adapter_refused"
    assert "nowhere: not an adapter folder" in ran.stderr
    assert not (tmp_path / "out").exists()
