"""Requests under way by version."""

import asyncio

import pytest

from gateway.adapters.leases import Leases


async def test_a_version_is_free_once_its_last_lease_is_given_back() -> None:
    leases = Leases()
    with leases.hold("a"):
        with leases.hold("a"), leases.hold("b"):
            assert (leases.held("a"), leases.held("b")) == (2, 1)
        waiting = asyncio.create_task(leases.until_free("a"))
        await asyncio.sleep(0)
        assert not waiting.done()
        await leases.until_free("b")
    await waiting
    assert leases.held("a") == 0


async def test_a_version_that_nobody_asked_is_free() -> None:
    await Leases().until_free("a")


async def test_a_lease_is_given_back_by_a_request_that_fails() -> None:
    leases = Leases()
    with pytest.raises(ValueError, match="why"), leases.hold("a"):
        raise ValueError("why")
    assert leases.held("a") == 0


async def test_all_who_wait_for_a_version_are_told() -> None:
    leases = Leases()
    with leases.hold("a"):
        waiting = [asyncio.create_task(leases.until_free("a")) for _ in range(3)]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
