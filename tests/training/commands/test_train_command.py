"""`pointsman train`: what it refuses, told for people and for programs."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli import build

pytest.importorskip("trl")


def test_a_toolset_that_is_not_there_is_told_as_one_line_and_as_one_document(tmp_path: Path):
    missing = tmp_path / "toolset.json"
    folders = [f"--{name}={tmp_path}" for name in ("data", "validation", "out")]
    given = ["train", "--toolset", str(missing), *folders]
    ran = CliRunner().invoke(build(), given)
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert ran.stderr.count("\n") == 1
    assert str(missing) in ran.stderr
    ran = CliRunner().invoke(build(), [*given, "--json"])
    assert ran.exit_code == 1
    assert str(missing) in json.loads(ran.stdout)["detail"]
