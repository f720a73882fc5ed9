"""The parts of the wanted state are read again when the revision moves, and only then."""

import logging
import sqlite3

import pytest

from gateway.records import Records
from gateway.records.following import Following


class Failing(Records):
    """Records on a disk that cannot be read while `broken` is set."""

    broken = False

    async def revision(self) -> int:
        if self.broken:
            raise sqlite3.OperationalError("disk I/O error")
        return await super().revision()


async def test_a_part_is_read_at_first_and_after_every_change() -> None:
    records, read = Records(), list[str]()
    await records.open()
    following = Following(records, 3600)

    async def follow() -> None:
        read.append(str(await records.kept("k")))

    following.on_change(follow)
    for _ in range(2):
        await following.look()
    await records.keep("k", {"a": 1})
    for _ in range(2):
        await following.look()
    assert read == ["{}", "{'a': 1}"]
    await records.close()


async def test_a_part_that_fails_does_not_keep_the_others_from_following(
    caplog: pytest.LogCaptureFixture,
) -> None:
    records, read = Records(), list[int]()
    await records.open()
    following = Following(records, 3600)

    async def fail() -> None:
        raise ValueError("of another release")

    async def follow() -> None:
        read.append(1)

    following.on_change(fail)
    following.on_change(follow)
    await following.look()
    assert (read, len(caplog.records)) == ([1], 1)
    await records.close()


async def test_records_that_cannot_be_read_are_said_so_once_and_followed_when_they_can(
    caplog: pytest.LogCaptureFixture,
) -> None:
    records, read = Failing(), list[int]()
    await records.open()
    following = Following(records, 3600)

    async def follow() -> None:
        read.append(1)

    following.on_change(follow)
    records.broken = True
    for _ in range(3):
        await following.look()
    events = [(getattr(r, "event", ""), r.levelno) for r in caplog.records]
    assert (events, read) == ([("state_not_followed", logging.ERROR)], [])
    records.broken = False
    await following.look()
    assert read == [1]
    await records.close()
