"""A turn comes when no agent waits, and under constant load all the same from time to time."""

import asyncio

from gateway.adapters.leases import Leases
from gateway.adapters.turns import Turns
from tests.gateway.toolsets.upstream_doubles import PATIENCE_S

NEVER_S = 3600.0


async def step(turns: Turns) -> None:
    async with turns.turn("support@1"):
        pass


async def steps(count: int = 10) -> None:
    """Let everything go on that can."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_turn_waits_until_no_request_is_under_way() -> None:
    leases = Leases()
    with leases.hold("support@1"), leases.hold("other@1"):
        waiting = asyncio.create_task(step(Turns(leases, 0, NEVER_S)))
        await steps()
        assert not waiting.done()
    await asyncio.wait_for(waiting, PATIENCE_S)


async def test_a_request_that_comes_and_goes_begins_the_quiet_anew() -> None:
    leases = Leases()
    turns = Turns(leases, 0, NEVER_S)
    waiting = asyncio.create_task(step(turns))
    await asyncio.sleep(0)  # the quiet has begun
    with leases.hold("support@1"):
        await steps()
        assert not waiting.done()
    await asyncio.wait_for(waiting, PATIENCE_S)


async def test_under_constant_load_a_turn_comes_all_the_same() -> None:
    leases = Leases()
    with leases.hold("support@1"):
        await asyncio.wait_for(step(Turns(leases, 0, 0.01)), PATIENCE_S)


async def test_while_nobody_comes_one_turn_follows_another_without_a_pause() -> None:
    leases = Leases()
    turns = Turns(leases, NEVER_S, 0.01)
    await step(turns)
    following = asyncio.create_task(step(turns))
    await steps()
    assert following.done()
    with leases.hold("support@1"):
        pass
    after_a_request = asyncio.create_task(step(turns))
    await steps()
    assert not after_a_request.done()
    await asyncio.wait_for(after_a_request, PATIENCE_S)


async def test_a_version_is_kept_loaded_for_its_turn() -> None:
    leases = Leases()
    async with Turns(leases, 0, NEVER_S).turn("support@1"):
        assert leases.held("support@1") == 1
    assert leases.held("support@1") == 0
