"""`dataset import`: what it writes, what it counts, and how it ends."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from tests.adapters import SUPPORT
from tests.gateway.cli_gateway import unused_port
from tests.training.imports.samples import DESK, STORY, TRACK, offered, says, user, write
from training.commands import dataset_import
from training.rows import read_rows, require_toolset

GOOD = {"messages": STORY, "tools": offered()}
OTHER = {"messages": [user("hello"), says("hi")], "tools": [
    {"type": "function", "function": {"name": "hours"}},
]}  # fmt: skip


def run(tmp_path: Path, path: Any, *arguments: str, source: str = "chat") -> Result:
    app, datasets = typer.Typer(), typer.Typer()
    datasets.callback()(lambda: None)
    dataset_import.mount(datasets)
    app.add_typer(datasets, name="dataset")
    where = ["--from", source, "--toolset", str(SUPPORT), "--out", str(tmp_path / "data")]
    return CliRunner().invoke(app, ["dataset", "import", str(path), *where, *arguments])


def test_rows_go_to_their_split_and_the_rest_is_kept_apart(tmp_path: Path):
    path = write(tmp_path / "mails.jsonl", GOOD, "{", OTHER)
    ran = run(tmp_path, path, "--split", "validation", "--json")
    assert (ran.exit_code, ran.stderr) == (0, "")
    file = tmp_path / "data" / "validation" / "mails.jsonl"
    assert json.loads(ran.stdout) == {
        "file": str(file), "rows": 4, "kinds": {"call": 2, "chat": 2}, "own_tools": 1, "refused": 1,
    }  # fmt: skip
    rows = read_rows(file, DESK)
    assert {row.voice for row in rows} == {"mails"}
    require_toolset(rows[:3], DESK)
    aside = tmp_path / "data" / "refused" / "validation" / "mails.jsonl"
    (line,) = aside.read_text().splitlines()
    assert json.loads(line)["place"] == f"{path}:2"


def test_the_text_counts_and_names_what_was_refused(tmp_path: Path):
    ran = run(tmp_path, write(tmp_path / "mails.jsonl", GOOD, "{"), "--name", "story")
    first, second, third = ran.stdout.splitlines()
    assert first.endswith("story.jsonl: 3 rows (2 call, 1 chat), 0 with their own tools")
    assert second.endswith("refused/train/story.jsonl: 1 refused")
    assert "mails.jsonl:2: no JSON" in third


def test_our_own_rows_keep_voice_kind_and_accept_and_pass_the_same_gate(tmp_path: Path):
    row = {"request": "where is ORD-4821?", "target": TRACK, "voice": "terse", "task": "t1"}
    chat = {"request": "hi", "target": {"tool": "no_tool", "reason": "chat"}, "accept": ["note"]}
    odd = {"request": "where is it?", "target": TRACK}
    other = {**row, "toolset": "0" * 16}
    path = write(tmp_path / "mine.jsonl", row, chat, odd, other, "[")
    assert run(tmp_path, path, source="rows").exit_code == 0
    rows = read_rows(tmp_path / "data" / "train", DESK)
    require_toolset(rows, DESK)
    assert [(r.voice, r.kind, r.accept) for r in rows] == [
        ("terse", "call", ()), ("mine", "chat", ("note",)),
    ]  # fmt: skip
    aside = (tmp_path / "data" / "refused" / "train" / "mine.jsonl").read_text()
    reasons = [json.loads(line)["reason"] for line in aside.splitlines()]
    assert [reason.split(" ")[0] for reason in reasons] == ["not", "made", "no"]


def test_kiln_s_form_is_read_too(tmp_path: Path):
    path = write(tmp_path / "export.jsonl", {"conversations": STORY})
    assert run(tmp_path, path, source="kiln").exit_code == 0


@pytest.mark.parametrize(
    ("lines", "said"),
    [(["{"], "none of 1 passed; "), ([OTHER | {"tools": []}], "the row offers no tools")],
)
def test_an_import_of_which_nothing_passes_fails_and_says_why(
    tmp_path: Path, lines: list[Any], said: str
):
    ran = run(tmp_path, write(tmp_path / "x.jsonl", *lines))
    assert ran.exit_code == 1
    assert said in ran.stderr
    assert (tmp_path / "data" / "refused" / "train" / "x.jsonl").exists()
    assert not (tmp_path / "data" / "train" / "x.jsonl").exists()


def test_an_empty_file_a_missing_one_and_a_second_import_fail_in_one_line(tmp_path: Path):
    empty, good = write(tmp_path / "e.jsonl"), write(tmp_path / "g.jsonl", GOOD)
    assert "nothing to import" in run(tmp_path, empty).stderr
    assert "nowhere.jsonl" in run(tmp_path, tmp_path / "nowhere.jsonl").stderr
    assert run(tmp_path, good).exit_code == 0
    again = run(tmp_path, good)
    assert (again.exit_code, len(again.stderr.splitlines())) == (1, 1)
    assert "another --name" in again.stderr


@pytest.mark.parametrize(
    "arguments",
    [("--name", "a/b"), ("--split", "dev"), ("--from", "csv")],
)
def test_bad_usage_ends_with_2(tmp_path: Path, arguments: tuple[str, str]):
    path = write(tmp_path / "x.jsonl", GOOD)
    assert run(tmp_path, path, *arguments).exit_code == 2


def test_a_gateway_that_does_not_answer_is_named(tmp_path: Path):
    ran = run(tmp_path, f"http://127.0.0.1:{unused_port()}", source="record")
    assert ran.exit_code == 1
    assert "pointsman serve" in ran.stderr
