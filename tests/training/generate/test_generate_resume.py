"""A run goes on where an earlier one ended, however it ended, and only if it is the same run."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.types import Toolset
from tests.training.generate.endpoint import (
    DESK,
    Endpoint,
    completion,
    fresh_rows,
    lines,
    plan,
    track,
)
from tests.training.generate.runs import entries, run
from training.generate.journal import JournalError
from training.generate.plan import Plan
from training.generate.run import generate
from training.generate.summary import Summary
from training.rows import read_rows
from training.teacher import TeacherError


async def test_tasks_that_failed_before_do_not_end_the_next_run_before_the_others(tmp_path: Path):
    with pytest.raises(TeacherError):
        await run(Endpoint(completion("no")), tmp_path)
    good, bad = fresh_rows(), completion("no")
    with pytest.raises(TeacherError):
        await run(Endpoint(good, good, bad), tmp_path)
    assert [item["failed"] is None for item in entries(tmp_path)] == [False] * 3 + [True] * 2 + (
        [False] * 3
    )


async def test_a_teacher_that_fails_ends_the_run_and_the_next_goes_on(tmp_path: Path):
    good, bad = fresh_rows(), httpx.Response(500)
    with pytest.raises(TeacherError, match=r"answers 500.*asked 3 times"):
        await run(Endpoint(good, good, bad), tmp_path)
    assert len(entries(tmp_path)) == 2
    endpoint = Endpoint(httpx.Response(429), good)
    found = await run(endpoint, tmp_path)
    assert (found.done, found.rows, len(endpoint.asked)) == (5, 10, 4)
    assert len({row.text for row in read_rows(tmp_path / "rows.jsonl", DESK)}) == 10


async def test_a_run_killed_between_two_tasks_goes_on_without_loss_or_repeat(tmp_path: Path):
    good, third = fresh_rows(), asyncio.Event()
    never: asyncio.Future[httpx.Response] = asyncio.get_running_loop().create_future()

    class Stuck(Endpoint):
        async def answer(self, request: httpx.Request) -> httpx.Response:
            if len(self.asked) == 2:
                third.set()
                return await never
            return await super().answer(request)

    killed = asyncio.create_task(run(Stuck(good), tmp_path))
    await third.wait()
    killed.cancel()
    with pytest.raises(asyncio.CancelledError):
        await killed
    before = (tmp_path / "rows.jsonl").read_text()
    endpoint = Endpoint(good)
    found = await run(endpoint, tmp_path)
    assert (len(endpoint.asked), found.done, found.rows) == (3, 5, 10)
    after = (tmp_path / "rows.jsonl").read_text()
    assert after.startswith(before)
    ids = [json.loads(line)["task"] for line in after.splitlines()]
    assert sorted(ids) == sorted(2 * [task.id for task in plan(5).tasks])


async def test_a_folder_that_another_run_fills_is_refused_until_that_one_ends(tmp_path: Path):
    first, others = Endpoint(fresh_rows()), Endpoint(fresh_rows())
    both = await asyncio.gather(run(first, tmp_path), run(others, tmp_path), return_exceptions=True)
    assert [type(item) for item in both] == [Summary, JournalError]
    assert "another run fills it" in str(both[1])
    assert (len(first.asked), others.asked) == (5, [])
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 10
    assert (await run(others, tmp_path)).done == 5


async def test_rows_of_an_earlier_run_are_not_written_again(tmp_path: Path):
    answer = completion(lines(track("where is ORD-4821?")))
    assert (await run(Endpoint(answer), tmp_path, limit=1)).rows == 1
    found = await run(Endpoint(answer), tmp_path, limit=2)
    assert (found.tasks, found.done, found.rows, found.rejected) == (2, 2, 1, {"duplicate": 1})


async def test_a_finished_run_asks_nothing_more(tmp_path: Path):
    first = await run(Endpoint(fresh_rows()), tmp_path)
    endpoint = Endpoint(httpx.Response(500))
    assert await run(endpoint, tmp_path) == first
    assert endpoint.asked == []


@pytest.mark.parametrize(
    ("asked", "settings", "said"),
    [
        (plan(6), {}, "plan"),
        (plan(5, seed=8), {}, "seed 7 and not 8"),
        (plan(5), {"conventions": "Be brief."}, "conventions"),
    ],
)
async def test_another_plan_seed_or_convention_is_refused_before_anything_is_asked(
    tmp_path: Path, asked: Plan, settings: dict[str, Any], said: str
):
    await run(Endpoint(fresh_rows()), tmp_path, limit=1)
    endpoint = Endpoint(fresh_rows())
    with pytest.raises(JournalError, match=said):
        await run(endpoint, tmp_path, asked, **settings)
    assert endpoint.asked == []


async def test_another_toolset_is_refused(tmp_path: Path):
    await run(Endpoint(fresh_rows()), tmp_path, limit=1)
    smaller = Toolset("support", DESK.tools[:3])
    async with Endpoint(fresh_rows()).teacher() as teacher:
        with pytest.raises(JournalError, match="toolset"):
            await generate(smaller, plan(5), teacher, tmp_path)
