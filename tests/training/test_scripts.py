"""The training scripts: each states its options, which no two of its settings share."""

import subprocess
import sys

import pytest

pytest.importorskip("trl")


@pytest.mark.parametrize(
    ("script", "options"),
    [
        ("training.sft", ["--toolset T", "--toolset-mode", "--no-refresh", "--init-from"]),
        ("training.dpo", ["--from FROM", "--beta"]),
        ("training.support", ["--against AGAINST", "--no-compare"]),
        ("training.general", ["--data DATA", "--rows ROWS", "--limit LIMIT", "--seed SEED"]),
    ],
)
def test_a_script_tells_its_options(script: str, options: list[str]):
    told = subprocess.run(
        [sys.executable, "-m", script, "--help"], capture_output=True, text=True, check=True
    )
    for option in options:
        assert option in told.stdout
