"""What the records have in service is brought into service here, unless this gateway is ahead."""

from pathlib import Path

import pytest

from gateway.adapters.followed import Followed
from tests.gateway.adapters.yard import Disk, Yard, yard


def followed(y: Yard) -> Followed:
    return Followed(y.records, y.store, y.swap)


async def test_a_rollback_that_a_full_disk_did_not_keep_is_not_undone(tmp_path: Path) -> None:
    disk = Disk()
    async with yard(tmp_path, records=disk) as y:
        first, second = await y.add(), await y.add(32)
        await y.swap.activate(first)
        await y.swap.activate(second)
        disk.full = True
        await y.swap.rollback("support")
        await followed(y).follow()
        assert y.version == first.version
        disk.full = False
        await y.swap.activate(second)
        await followed(y).follow()
        assert y.version == second.version


async def test_what_is_in_service_already_is_not_touched(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "gateway")
    async with yard(tmp_path) as y:
        old, new = await y.add(), await y.add(32)
        await y.swap.activate(old)
        trial = await y.swap.start_trial(new, "canary", 0.1)
        caplog.clear()
        await followed(y).follow()
        assert (y.active.trial("support") is trial, caplog.records) == (True, [])


async def test_a_version_before_that_is_stored_nowhere_any_more_is_done_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "gateway")
    async with yard(tmp_path) as y:
        adapter = await y.add()
        await y.records.keep_active("support", adapter.version, "support@gone", "desk")
        await followed(y).follow()
        assert (y.version, y.swap.previous("support")) == (adapter.version, None)
        caplog.clear()
        await followed(y).follow()
        assert caplog.records == []


async def test_a_version_that_is_not_stored_here_is_said_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with yard(tmp_path) as y:
        await y.records.keep_active("support", "support@elsewhere", None, "desk")
        found = followed(y)
        for _ in range(2):
            await found.follow()
        assert (y.version, len(caplog.records)) == (None, 1)
        assert "support@elsewhere is in service but is not stored here" in caplog.text
