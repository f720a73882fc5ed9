"""The journal refuses what is not its own, and a disk that refuses it is told of."""

from pathlib import Path
from typing import Any

import pytest

from tests.training.generate.endpoint import DESK
from tests.training.generate.journals import (
    BROKEN,
    ROWS,
    appended,
    entry,
    opened,
    texts,
    two_tasks,
)
from training.generate.journal import JournalError


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"toolset": "0" * 16}, f"toolset '{DESK.fingerprint[:16]}' and not '{'0' * 16}'"),
        ({"plan": "q"}, "plan 'p' and not 'q'"),
        ({"seed": 8}, "seed 7 and not 8"),
    ],
)
def test_another_toolset_plan_or_seed_is_refused_and_nothing_changes(
    tmp_path: Path, changed: dict[str, Any], said: str
):
    two_tasks(tmp_path)
    appended(tmp_path / "tasks.jsonl", "half")
    before = texts(tmp_path)
    with pytest.raises(JournalError, match=said):
        opened(tmp_path, **changed)
    assert texts(tmp_path) == before


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tasks", '{"my": "tasks"}'),
        ("tasks", '{"my": "tasks"}\n'),
        ("rows", '{"request": "mine"}\n'),
        ("rejected", '{"place": "x:1"}\n'),
    ],
)
def test_a_folder_with_files_of_something_else_is_left_alone(tmp_path: Path, name: str, text: str):
    file = tmp_path / f"{name}.jsonl"
    file.write_text(text)
    with pytest.raises(JournalError, match="give another folder"):
        opened(tmp_path)
    assert [(path, path.read_text()) for path in tmp_path.iterdir()] == [(file, text)]


@pytest.mark.parametrize(
    ("name", "line", "said"),
    [
        ("rows", '{"request": "mine"}', "rows.jsonl:5: of no task"),
        ("rows", "{", "rows.jsonl:5: no JSON"),
        ("rejected", "[]", "rejected.jsonl:3: no JSON object"),
        ("tasks", '{"task": "t3"}', "tasks.jsonl:4: no line of a task"),
    ],
)
def test_a_line_that_is_not_ours_is_named_and_nothing_is_lost(
    tmp_path: Path, name: str, line: str, said: str
):
    two_tasks(tmp_path)
    appended(tmp_path / f"{name}.jsonl", line + "\n")
    before = texts(tmp_path)
    with pytest.raises(JournalError, match=said):
        opened(tmp_path)
    assert texts(tmp_path) == before


@pytest.mark.parametrize("name", ["rows", "rejected", "tasks"])
def test_a_full_disk_is_a_clear_error_and_the_task_is_not_done(tmp_path: Path, name: str):
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no device that is always full")
    journal = opened(tmp_path)
    journal.record(entry(1), ROWS, [BROKEN])
    file = tmp_path / f"{name}.jsonl"
    before = file.read_bytes()
    file.unlink()
    file.symlink_to(full)
    with pytest.raises(JournalError, match=rf"{name}.jsonl cannot be written \(No space left"):
        journal.record(entry(2), ROWS, [BROKEN])
    assert (journal.done, journal.rows) == ({"t1"}, 2)
    file.unlink()
    file.write_bytes(before)
    with pytest.raises(JournalError, match="No space left"):
        journal.record(entry(3), ROWS, [BROKEN])
    again = opened(tmp_path)
    assert (again.done, again.rows, dict(again.rejected)) == ({"t1"}, 2, {"parse": 1})


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="file"):
        opened(tmp_path / "file")
