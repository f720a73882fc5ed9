"""A silenced drift warns nobody until the silence ends, and only of what it names."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from mcp.types import Tool

from gateway.adapters.notice import DriftNotices, Notice, notice_of
from gateway.adapters.silences import Silence, Silences, silenced
from gateway.drift import compare
from gateway.drift_policy import DriftPolicy
from gateway.errors import BadRequest, NotFound
from gateway.manifest import read_adapter
from gateway.observe import Metrics, Text
from gateway.records import Records
from gateway.types import Toolset
from mcp_servers.support.toolset import toolset as support_revision
from tests.adapters import write_adapter

NOW = 1_800_000_000.0
POLICY = DriftPolicy()


def notice(tmp_path: Path, tools: tuple[Tool, ...] | None = None, name: str = "support") -> Notice:
    folder = tmp_path / name
    adapter = read_adapter(folder if folder.exists() else write_adapter(folder, name=name))
    live = Toolset("support", tools or support_revision(2).tools)
    return notice_of(adapter, live, compare(adapter.toolset, live.by_name), POLICY)


def silence(**more: Any) -> Silence:
    value = {
        "adapter": "support",
        "reason": "known",
        "until": datetime.fromtimestamp(NOW + 60, UTC),
    }
    return Silence.model_validate({**value, **more})


def tell(notices: DriftNotices, told: Notice) -> None:
    notices.tell(told.adapter, told.live, told.drift, POLICY)


@asynccontextmanager
async def silences(now: list[float], records: Records) -> AsyncIterator[Silences]:
    found = Silences(records, lambda: now[0])
    await found.open()
    try:
        yield found
    finally:
        found.close()


def test_a_silence_ends_at_its_time_and_counts_for_its_adapter_alone(tmp_path: Path) -> None:
    assert silenced([silence()], notice(tmp_path), NOW + 59)
    assert not silenced([silence()], notice(tmp_path), NOW + 60)
    assert not silenced([silence()], notice(tmp_path, name="billing"), NOW)


def test_drift_that_a_silence_does_not_name_is_news(tmp_path: Path) -> None:
    told = notice(tmp_path)
    drifted = {item.tool for item in told.drift.tools}
    assert silenced([silence(tools=sorted(drifted))], told, NOW)
    assert not silenced([silence(tools=sorted(drifted)[1:])], told, NOW)
    assert not silenced([silence(grade="breaking")], told, NOW)
    grades = {item.grade for item in told.drift.tools}
    assert silenced([silence(grade=grade) for grade in grades], told, NOW)


async def test_a_silenced_drift_is_logged_quietly_and_warned_of_once_when_the_silence_ends(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gateway")
    now, records, warned = [NOW], Records(), list[Notice]()
    await records.open()
    async with silences(now, records) as found:
        await found.add(silence())
        notices = DriftNotices(Metrics(), found.covers)
        notices.on_warning(warned.append)
        for _ in range(2):
            tell(notices, notice(tmp_path))
        assert ([r.levelno for r in caplog.records], warned) == ([logging.INFO], [])
        now[0] += 60
        for _ in range(2):
            notices.look_again()
        assert [r.levelno for r in caplog.records] == [logging.INFO, logging.WARNING]
        assert len(warned) == 1
    await records.close()


async def test_silences_outlive_a_restart_until_they_expire(tmp_path: Path) -> None:
    now, records = [NOW], Records(str(tmp_path / "records.sqlite"))
    await records.open()
    async with silences(now, records) as found:
        key = await found.add(silence(grade="renamed"))
    async with silences(now, records) as found:
        assert found.all == {key: silence(grade="renamed")}
    now[0] += 60
    async with silences(now, records) as found:
        assert found.all == {}
        assert await records.kept("drift_silences") == {}
    await records.close()


async def test_a_silence_that_is_over_and_one_that_is_unknown_are_refused() -> None:
    now, records = [NOW + 60], Records()
    await records.open()
    async with silences(now, records) as found:
        with pytest.raises(BadRequest, match="past"):
            await found.add(silence())
        with pytest.raises(NotFound):
            await found.remove("silence_0")
    await records.close()


async def test_removing_a_silence_tells_whoever_waits_for_its_end() -> None:
    now, records, ended = [NOW], Records(), list[int]()
    await records.open()
    async with silences(now, records) as found:
        found.on_end = lambda: ended.append(1)
        await found.remove(await found.add(silence()))
        assert (ended, found.all) == ([1], {})
    await records.close()


def test_a_warning_can_be_read_and_acted_on_without_anything_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tell(DriftNotices(Metrics()), notice(tmp_path))
    (record,) = caplog.records
    text = Text().format(record)
    assert text.splitlines()[0].endswith("[toolset_drift]")
    assert "worst grade: removed" in text
    assert "check_stock: renamed to stock_level" in text
    assert "/inputSchema/properties/currency: nothing -> " in text
    assert "the gateway makes no calls of request_refund" in text
    assert "pointsman drift --adapter support" in text


def test_what_a_server_wrote_cannot_move_the_cursor_of_whoever_reads_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, *rest = support_revision(2).tools
    sly = first.model_copy(update={"description": "\x1b[2J\u202eevil"})
    tell(DriftNotices(Metrics()), notice(tmp_path, (sly, *rest)))
    text = Text().format(caplog.records[0])
    assert not {"\x1b", "\u202e"} & set(text)
    assert "evil" in text


def test_a_listener_that_fails_costs_the_others_nothing(tmp_path: Path) -> None:
    notices, told = DriftNotices(Metrics()), list[Notice]()

    def fail(_: Notice) -> None:
        raise RuntimeError("no network")

    notices.on_warning(fail)
    notices.on_warning(told.append)
    tell(notices, notice(tmp_path))
    assert len(told) == 1
