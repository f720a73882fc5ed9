"""What is kept: for how long, what is left out, and what a failing disk costs."""

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import ConfigurationError
from gateway.records import Records


def record(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "face": "rest", "model": "support@1", "outcome": "call", **more}


@asynccontextmanager
async def opened(path: Path | str = ":memory:", **settings: Any) -> AsyncIterator[Records]:
    records = Records(str(path), **settings)
    await records.open()
    try:
        yield records
    finally:
        await records.close()


def ids(calls: list[dict[str, Any]]) -> list[str]:
    return [call["id"] for call in calls]


async def test_calls_come_back_newest_first_and_whole() -> None:
    async with opened() as records:
        records.note_call(record("a", calls=[{"tool": "t", "arguments": {"x": [1, None]}}]))
        records.note_call(record("b", outcome="no_tool"))
        newest, oldest = await records.calls()
    assert (newest["id"], oldest["id"]) == ("b", "a")
    assert oldest["calls"] == [{"tool": "t", "arguments": {"x": [1, None]}}]
    assert oldest["at"] <= newest["at"]


async def test_calls_are_limited_and_filtered() -> None:
    async with opened() as records:
        for index in range(6):
            records.note_call(record(str(index), outcome="call" if index % 2 else "invalid"))
        assert ids(await records.calls(2)) == ["5", "4"]
        assert ids(await records.calls(outcome="invalid")) == ["4", "2", "0"]
        assert await records.calls(outcome="no_tool") == []


async def test_one_call_is_found_by_its_id() -> None:
    async with opened() as records:
        records.note_call(record("a", reason="x"))
        assert (await records.call("a") or {})["reason"] == "x"
        assert await records.call("b") is None


async def test_a_label_goes_with_its_call_and_a_later_one_replaces_it(tmp_path: Path) -> None:
    async with opened(tmp_path / "records.db") as records:
        for name in "abcd":
            records.note_call(record(name))
        await records.label_call("a", "right")
        await records.label_call("c", "wrong")
        await records.label_call("c", {"tool": "no_tool", "reason": "chat"})
        assert await records.revision() == 0
    async with opened(tmp_path / "records.db") as records:
        assert [call.get("label") for call in await records.calls()] == [
            None, {"tool": "no_tool", "reason": "chat"}, None, "right",
        ]  # fmt: skip
        assert (await records.call("a") or {})["label"] == "right"
        assert ids(await records.calls(labelled=True)) == ["c", "a"]
        assert ids(await records.calls(1, labelled=True, offset=1)) == ["a"]


async def test_a_labelled_call_is_never_trimmed(tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    async with opened(path) as records:
        for index in range(30):
            records.note_call(record(str(index)))
        await records.flush()
        await records.label_call("3", "right")
    async with opened(path, max_calls=2) as records:
        assert ids(await records.calls()) == ["29", "28", "3"]


async def test_without_arguments_no_word_of_the_conversation_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    secret = "hush-4711"
    spoken = {"tool": "pay", "arguments": {"card": secret}}
    async with opened(path, arguments=False) as records:
        records.note_call(
            record(
                "a", calls=[spoken], call=spoken, proposal=[spoken], request=secret,
                messages=[["user", secret]], reason=f"/card {secret!r} is not in the conversation",
                results=[{"content": [{"type": "text", "text": secret}]}],
                checks={"schema": [{"pointer": "/card", "message": f"{secret!r} is too long"}],
                        "grounding": [{"pointer": "/card", "value": secret}], "drift": "none"},
                failure=f"server said {secret}",
            )
        )  # fmt: skip
        (kept,) = await records.calls()
    assert secret not in json.dumps(kept)
    assert kept["calls"] == kept["proposal"] == [{"tool": "pay"}]
    assert kept["call"] == {"tool": "pay"}
    assert kept["checks"]["grounding"] == [{"pointer": "/card"}]
    assert secret.encode() not in path.read_bytes()


async def test_a_reopened_file_holds_everything(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "records.db"
    async with opened(path) as records:
        records.note_call(record("a"))
        await records.keep_server("s", {"name": "s", "url": "http://localhost:1/mcp"})
        await records.keep_adapter("support@1", "support", tmp_path, "1" * 64)
        await records.keep_active("support", "support@1", "support@0", "desk")
        revision = await records.revision()
    async with opened(path) as records:
        assert ids(await records.calls()) == ["a"]
        assert await records.servers() == [{"name": "s", "url": "http://localhost:1/mcp"}]
        (adapter,) = await records.adapters()
        assert (adapter["version"], adapter["folder"]) == ("support@1", str(tmp_path))
        assert await records.active() == {
            "support": {"version": "support@1", "previous": "support@0", "toolset": "desk"}
        }
        assert await records.revision() == revision


async def test_what_is_dropped_is_gone_and_every_change_counts() -> None:
    async with opened() as records:
        assert await records.revision() == 0
        await records.keep_server("s", {"name": "s"})
        await records.keep_adapter("a@1", "a", Path("/a"), "1")
        await records.drop_server("s")
        await records.drop_adapter("a@1")
        assert (await records.servers(), await records.adapters()) == ([], [])
        assert await records.revision() == 4


async def test_the_oldest_calls_are_trimmed() -> None:
    async with opened(max_calls=100) as records:
        for index in range(2_500):
            records.note_call(record(str(index)))
        kept = ids(await records.calls(limit=10_000))
    assert kept[:100] == [str(index) for index in range(2_499, 2_399, -1)]
    assert len(kept) <= 100 + 1_000


async def test_a_file_is_trimmed_when_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    async with opened(path) as records:
        for index in range(30):
            records.note_call(record(str(index)))
    async with opened(path, max_calls=10) as records:
        assert ids(await records.calls()) == [str(index) for index in range(29, 19, -1)]


async def test_closing_writes_what_is_buffered_and_may_be_repeated(tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    records = Records(str(path))
    await records.open()
    records.note_call(record("a"))
    await records.close()
    await records.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT id FROM calls").fetchall() == [("a",)]


def a_folder(path: Path) -> Path:
    path.mkdir()
    return path


def below_a_file(path: Path) -> Path:
    path.write_text("")
    return path / "records.db"


def no_database(path: Path) -> Path:
    path.write_text("no database at all, " * 100)
    return path


@pytest.mark.parametrize("make", [a_folder, below_a_file, no_database])
async def test_a_file_that_cannot_be_used_is_an_error_that_names_it(
    tmp_path: Path, make: Any
) -> None:
    path = make(tmp_path / "here")
    records = Records(str(path))
    with pytest.raises(ConfigurationError, match=str(tmp_path)):
        await records.open()
    await records.close()


async def test_records_that_are_only_read_refuse_to_write_and_are_not_made(tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    missing = Records(str(path), read_only=True)
    with pytest.raises(ConfigurationError, match=r"records\.db: no gateway's records are there"):
        await missing.open()
    await missing.close()
    assert not path.exists()
    async with opened(path) as records:
        records.note_call(record("a"))
    async with opened(path, read_only=True) as reader:
        assert ids(await reader.calls()) == ["a"]
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            await reader.label_call("a", "right")


async def test_text_that_is_no_unicode_is_kept() -> None:
    async with opened() as records:
        records.note_call(record("a", messages=[["user", "half \ud83d a pair, 🦊, \x00"]]))
        (kept,) = await records.calls()
    assert kept["messages"] == [["user", "half \ud83d a pair, 🦊, \x00"]]
    assert records.lost == 0


def endless() -> list[Any]:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    return nested


@pytest.mark.parametrize("value", [endless(), {("a", "tuple"): 1}], ids=["deep", "no JSON"])
async def test_a_record_that_cannot_be_written_costs_no_other(value: Any) -> None:
    async with opened() as records:
        records.note_call(record("a"))
        records.note_call(record("bad", calls=[{"tool": "t", "arguments": value}]))
        records.note_call(record("c"))
        assert ids(await records.calls()) == ["c", "a"]
        assert records.lost == 1


async def test_a_failing_disk_loses_call_records_says_so_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "records.db"
    async with opened(path) as records:
        await records.keep_server("s", {"name": "s"})
        with closing(sqlite3.connect(path)) as other:
            other.execute("ALTER TABLE calls RENAME TO taken_away")
            other.commit()
            records.note_call(record("a"))
            records.note_call(record("b"))
            await records.flush()
            assert records.lost == 2
            (line,) = [r for r in caplog.records if getattr(r, "event", "") == "records_lost"]
            assert "2 call records" in line.getMessage()
            await records.keep_server("t", {"name": "t"})
            other.execute("ALTER TABLE taken_away RENAME TO calls")
            other.commit()
        records.note_call(record("c"))
        assert ids(await records.calls()) == ["c"]
        assert [server["name"] for server in await records.servers()] == ["s", "t"]
        assert records.lost == 2
