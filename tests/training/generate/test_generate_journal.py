"""The journal: what is written stays, what was half written goes, and nothing is mixed up."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from gateway.types import Usage
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
from training.rows import read_rows, require_toolset


def test_what_was_written_is_there_when_opened_again(tmp_path: Path):
    folder = tmp_path / "deep" / "data"
    two_tasks(folder)
    before = texts(folder)
    journal = opened(folder)
    assert (journal.done, journal.failed) == ({"t1", "t2"}, set())
    assert (journal.rows, dict(journal.rejected)) == (4, {"parse": 2})
    assert journal.usage == Usage(200, 40)
    assert texts(folder) == before


def test_rows_are_rows_of_a_data_set_and_say_their_task(tmp_path: Path):
    two_tasks(tmp_path)
    rows = read_rows(tmp_path / "rows.jsonl", DESK)
    require_toolset(rows, DESK)
    assert [row.messages for row in rows] == [row.messages for row in ROWS] * 2
    first = json.loads(texts(tmp_path)[0].splitlines()[0])
    assert first["task"] == "t1"
    assert first["toolset"] == DESK.fingerprint[:16]
    assert first["voice"] == "plain"


def test_what_was_refused_keeps_reason_and_text(tmp_path: Path):
    two_tasks(tmp_path)
    assert json.loads(texts(tmp_path)[1].splitlines()[0]) == {"task": "t1", **asdict(BROKEN)}


def test_an_answer_whose_task_line_is_missing_is_dropped(tmp_path: Path):
    opened(tmp_path).record(entry(1), ROWS, [BROKEN])
    before = texts(tmp_path)
    opened(tmp_path).record(entry(2), ROWS, [BROKEN])
    (tmp_path / "tasks.jsonl").write_text(before[2])
    journal = opened(tmp_path)
    assert (journal.done, journal.rows, texts(tmp_path)) == ({"t1"}, 2, before)


@pytest.mark.parametrize("name", ["rows", "rejected", "tasks"])
@pytest.mark.parametrize("half", ['{"task": "t3", "requ', '{"task": "t3"}', "{", '{"task": "\\ud8'])
def test_a_half_written_line_is_dropped(tmp_path: Path, name: str, half: str):
    two_tasks(tmp_path)
    before = texts(tmp_path)
    appended(tmp_path / f"{name}.jsonl", half)
    assert opened(tmp_path).done == {"t1", "t2"}
    assert texts(tmp_path) == before


def test_a_kill_after_any_byte_leaves_whole_answers(tmp_path: Path):
    """Every file is cut where the bytes of the second answer had got to."""
    opened(tmp_path / "one").record(entry(1), ROWS, [BROKEN])
    one = [text.encode() for text in texts(tmp_path / "one")]
    two_tasks(tmp_path / "two")
    two = [text.encode() for text in texts(tmp_path / "two")]
    files = [tmp_path / "cut" / f"{name}.jsonl" for name in ("rows", "rejected", "tasks")]
    files[0].parent.mkdir()
    for number in range(3):
        for cut in range(len(one[number]), len(two[number]), 41):
            for file, short, full in zip(files, one, two, strict=True):
                place = files.index(file)
                whole = full if place < number else short
                file.write_bytes(two[number][:cut] if place == number else whole)
            journal = opened(tmp_path / "cut")
            assert (journal.done, journal.rows) == ({"t1"}, 2)
            assert [file.read_bytes() for file in files] == one


def test_a_header_that_was_cut_off_is_written_again(tmp_path: Path):
    opened(tmp_path)
    file = tmp_path / "tasks.jsonl"
    header = file.read_text()
    file.write_text(header[:20])
    assert opened(tmp_path).done == set()
    assert file.read_text() == header


def test_a_failed_task_is_not_done_until_it_is_but_its_tokens_count(tmp_path: Path):
    opened(tmp_path).record(entry(1, rows=0, failed="nothing at all"), (), ())
    journal = opened(tmp_path)
    assert (journal.done, journal.failed) == (set(), {"t1"})
    journal.record(entry(1), ROWS, ())
    for again in (journal, opened(tmp_path)):
        assert (again.done, again.failed, again.rows) == ({"t1"}, set(), 2)
        assert again.usage == Usage(200, 40)
