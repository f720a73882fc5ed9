"""Labelled calls become rows: only those, with the answer the label says is right."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import ConfigurationError
from gateway.records import Records
from tests.gateway.cli_gateway import gateway, pointsman
from tests.gateway.serving import ASK, desk, settings
from tests.gateway.serving import TRACK as ASKED
from tests.training.imports.labelled import recorded, records
from tests.training.imports.samples import CANCEL, DESK, TRACK, imported, refused
from training.imports.gate import gate
from training.imports.record import read, read_gateway

NO_TOOL = {"tool": "no_tool", "reason": "chat"}


def test_only_labelled_calls_are_read(tmp_path: Path):
    file = records(
        tmp_path / "records.db", recorded("a"), recorded("b"), recorded("c"),
        labels={"a": "right", "c": CANCEL},
    )  # fmt: skip
    newest, oldest = imported(read(file))
    assert (newest.place, newest.value["target"]) == (f"{file}:c", CANCEL)
    assert oldest.value == {
        "messages": [
            {"role": "system", "content": "be kind"},
            {"role": "user", "content": "where is ORD-4821? it is late"},
        ],
        "target": TRACK,
        "toolset": DESK.fingerprint,
    }
    assert len(gate([newest, oldest], DESK, "record").rows) == 2


@pytest.mark.parametrize(
    ("more", "target"),
    [
        ({"calls": [TRACK, CANCEL]}, {"calls": [TRACK, CANCEL]}),
        ({"outcome": "abstained", "calls": [], "proposal": [TRACK]}, TRACK),
        ({"outcome": "no_tool", "calls": [], "reason": "chat"}, NO_TOOL),
    ],
)
def test_right_means_what_was_called_withheld_or_declined(
    tmp_path: Path, more: dict[str, Any], target: Any
):
    file = records(tmp_path / "r.db", recorded("a", **more), labels={"a": "right"})
    assert imported(read(file))[0].value["target"] == target


@pytest.mark.parametrize(
    ("more", "label", "reason"),
    [
        ({}, "wrong", "labelled wrong, without the answer"),
        ({"outcome": "abstained", "calls": []}, "right", "nothing was proposed"),
        ({"outcome": "invalid", "calls": [], "proposal": [TRACK]}, "right", "nothing was proposed"),
        ({"live_fingerprint": None}, "right", "which tools were live"),
    ],
)
def test_what_teaches_nothing_is_refused_by_its_name(
    tmp_path: Path, more: dict[str, Any], label: Any, reason: str
):
    file = records(tmp_path / "r.db", recorded("a", **more), labels={"a": label})
    ((place, told),) = refused(read(file))
    assert place == f"{file}:a"
    assert reason in told


def test_a_call_recorded_without_its_conversation_is_refused_by_name(tmp_path: Path):
    file = records(tmp_path / "r.db", recorded("a"), labels={"a": "right"}, arguments=False)
    ((_, reason),) = refused(read(file))
    assert reason == "call a was recorded without its conversation"


def test_a_call_for_another_toolset_does_not_pass_the_gate(tmp_path: Path):
    file = records(
        tmp_path / "r.db", recorded("a", live_fingerprint="0" * 64), labels={"a": "right"}
    )
    (kept,) = gate(read(file), DESK, "record").refused
    assert "made for toolset 0000000000000000, not for support" in kept.reason


def test_reading_trims_nothing_and_a_file_that_is_not_there_is_not_made(tmp_path: Path):
    file = records(tmp_path / "r.db", *(recorded(str(n)) for n in range(20)), labels={"3": "right"})
    assert len(imported(read(file))) == 1

    async def count() -> int:
        kept = Records(str(file))
        await kept.open()
        try:
            return len(await kept.calls())
        finally:
            await kept.close()

    assert asyncio.run(count()) == 20
    with pytest.raises(FileNotFoundError, match="nowhere"):
        list(read(tmp_path / "nowhere.db"))
    assert not (tmp_path / "nowhere.db").exists()


def test_a_file_that_is_no_record_is_an_error(tmp_path: Path):
    (tmp_path / "r.db").write_text("no database at all, " * 100)
    with pytest.raises(ConfigurationError, match=r"r\.db: no gateway's records are there"):
        list(read(tmp_path / "r.db"))


def test_a_database_of_something_else_is_an_error_and_stays_as_it_is(tmp_path: Path):
    file = tmp_path / "music.db"
    with closing(sqlite3.connect(file)) as made:
        made.execute("CREATE TABLE songs (title TEXT)")
    before = file.read_bytes()
    with pytest.raises(ConfigurationError, match=r"music\.db: no gateway's records .*: calls"):
        list(read(file))
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["music.db"]


async def test_a_running_gateway_s_file_is_read_with_its_latest_label_and_not_touched(
    tmp_path: Path,
):
    file = tmp_path / "live?#1.db"
    kept = Records(str(file))
    await kept.open()
    try:
        kept.note_call(recorded("a"))
        await kept.flush()
        await kept.label_call("a", "right")
        # The -shm file beside them holds readers' marks and is shared memory, not data.
        data = [path for path in sorted(tmp_path.iterdir()) if not path.name.endswith("-shm")]
        before = [path.read_bytes() for path in data]
        (row,) = await asyncio.to_thread(lambda: imported(read(file)))
        assert row.place == f"{file}:a"
        assert [path.name for path in data] == ["live?#1.db", "live?#1.db-wal"]
        assert [path.read_bytes() for path in data] == before
        await kept.label_call("a", "wrong")
    finally:
        await kept.close()


def test_a_file_that_nobody_may_write_is_read(tmp_path: Path):
    file = records(tmp_path / "r.db", recorded("a"), labels={"a": "right"})
    file.chmod(0o444)
    assert len(imported(read(file))) == 1


def test_a_running_gateway_is_labelled_over_the_command_line_and_read(tmp_path: Path):
    with gateway(settings(tmp_path, desk(tmp_path / "desk").config()), {ASK: ASKED}) as url:
        pointsman("route", ASK, "--url", url)
        pointsman("route", "hello", "--url", url)
        listed = pointsman("calls", "list", "--url", url, "--json").json["calls"]
        call_id = next(call["id"] for call in listed if call["outcome"] == "call")
        assert pointsman("calls", "label", call_id, "right", "--url", url).code == 0
        (row,) = imported(read_gateway(url))
    assert row.place == f"{url}:{call_id}"
    assert row.value["messages"] == [{"role": "user", "content": ASK}]
    assert row.value["target"] == ASKED
