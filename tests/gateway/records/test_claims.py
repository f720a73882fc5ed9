"""Claims: one holder at a time, over every gateway that has the records open."""

import asyncio
from pathlib import Path

from gateway.records import Records


async def test_of_many_that_claim_at_once_one_holds_it_and_all_know_whom(tmp_path: Path) -> None:
    gateways = [Records(str(tmp_path / "records.sqlite")) for _ in range(4)]
    for records in gateways:
        await records.open()
    claims = await asyncio.gather(
        *(records.claim("a", str(n), 60) for n, records in enumerate(gateways))
    )
    (holder,) = {claim.holder for claim in claims}
    one, other = gateways[int(holder)], gateways[int(holder) - 1]
    assert (await other.claim("b", "other", 60)).holder == "other"
    await other.let_go("a", "other")
    await other.settle("a", "other", 60)
    assert await other.claim("a", "other", 60) == claims[0]
    await one.let_go("a", holder)
    assert (await other.claim("a", "other", 60)).holder == "other"
    await other.settle("a", "other", 60)
    assert (await one.claim("a", holder, 60)).done
    assert await one.revision() == 0
    for records in gateways:
        await records.close()


async def test_a_claim_whose_time_is_over_is_another_s_to_take() -> None:
    records = Records()
    await records.open()
    await records.claim("a", "one", -1)
    assert (await records.claim("a", "other", 60)).holder == "other"
    await records.settle("a", "other", -1)
    assert not (await records.claim("a", "one", 60)).done
    await records.close()
