"""Runs for tests: a plan of five tasks against an endpoint in memory, and what they wrote down."""

import json
from pathlib import Path
from typing import Any

from tests.training.generate.endpoint import DESK, Endpoint, plan
from training.generate.plan import Plan
from training.generate.run import generate
from training.generate.summary import Summary


async def run(
    endpoint: Endpoint, out: Path, asked: Plan | None = None, concurrency: int = 1, **settings: Any
) -> Summary:
    async with endpoint.teacher(concurrency=concurrency, attempts=3) as teacher:
        return await generate(DESK, asked or plan(5), teacher, out, **settings)


def entries(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "tasks.jsonl").read_text().splitlines()[1:]]
