"""vLLM dies under load: what that costs, and that it comes back by itself."""

import asyncio
import json
import os
import signal
from typing import Any

import pytest

from tests.bench.load import Load, Sample
from tests.bench.swap_adapters import Version, request
from tests.end_to_end.on_vllm.stack import START_S, Engine, Gateway

pytestmark = pytest.mark.vllm
CLIENTS = 8


async def killed_under_load(front: Gateway, pid: int) -> list[Sample]:
    """Every reply from before the kill until requests for both adapters are answered again."""

    def body(number: int) -> dict[str, Any]:
        return {"request": request(number), "model": ("swap", "support")[number % 2]}

    async with asyncio.timeout(2 * START_S), Load(front.url, body, CLIENTS) as load:
        await load.replies(2 * CLIENTS)
        before = len(load.samples)
        os.kill(pid, signal.SIGKILL)
        back: set[str] = set()
        down = False
        while len(back) < 2:
            seen = len(load.samples)
            await load.replies(1)
            for sample in load.samples[max(seen, before) :]:
                down = down or sample.status != 200
                if down and sample.status == 200 and sample.version:
                    back.add(sample.version.partition("@")[0])
    return load.samples


def test_a_killed_vllm_costs_clear_errors_alone_and_is_back_with_all_adapters(
    front: Gateway, vllm: Engine, swapped: dict[str, Version]
) -> None:
    assert front.activate(next(iter(swapped))).status_code == 200
    samples = asyncio.run(killed_under_load(front, vllm.pid))
    failed = [sample for sample in samples if sample.status != 200]
    assert failed
    for sample in failed:
        assert sample.status == 503, sample.text
        assert json.loads(sample.text)["code"] == "engine_down"
    assert {s.version.partition("@")[0] for s in samples if s.version} == {"swap", "support"}
