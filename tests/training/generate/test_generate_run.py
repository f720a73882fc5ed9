"""A whole run: what is kept, what it costs, and how it goes on after an end of any kind."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.types import Usage
from tests.training.generate.endpoint import (
    DESK,
    Endpoint,
    completion,
    fresh_rows,
    lines,
    plan,
    task,
    track,
)
from tests.training.generate.runs import entries, run
from training.generate.journal import JournalError
from training.generate.plan import Plan
from training.generate.summary import Prices, Summary
from training.rows import read_rows, require_toolset
from training.teacher import TeacherError


def rejected(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "rejected.jsonl").read_text().splitlines()]


async def test_a_run_keeps_good_rows_counts_tokens_and_tells_the_cost(tmp_path: Path):
    seen: list[Summary] = []
    prices = Prices(prompt=2.0, completion=10.0)
    found = await run(Endpoint(fresh_rows()), tmp_path, prices=prices, progress=seen.append)
    assert found == Summary(5, 5, 0, 10, {}, Usage(500, 100), pytest.approx(0.002))
    assert [(item.done, item.rows) for item in seen] == [(n, 2 * n) for n in range(6)]
    assert found.as_dict() == {
        "tasks": 5, "done": 5, "failed": 0, "rows": 10, "rejected": {},
        "prompt_tokens": 500, "completion_tokens": 100, "cost": 0.002,
    }  # fmt: skip
    rows = read_rows(tmp_path / "rows.jsonl", DESK)
    require_toolset(rows, DESK)
    assert entries(tmp_path)[0] == {
        "task": "call/track_order/0", "model": "large", "rows": 2, "rejected": 0,
        "prompt_tokens": 100, "completion_tokens": 20, "failed": None,
    }  # fmt: skip


async def test_requests_run_side_by_side_and_every_row_is_kept_once(tmp_path: Path):
    found = await run(Endpoint(fresh_rows()), tmp_path, plan(20), concurrency=8)
    texts = [row.text for row in read_rows(tmp_path / "rows.jsonl", DESK)]
    assert (found.done, len(texts), len(set(texts))) == (20, 40, 40)


async def test_refused_rows_are_kept_apart_with_code_reason_and_text(tmp_path: Path):
    answer = lines(
        track("where is ORD-4821?"),
        '{"request": "cut o',
        track("where is 12?", "12"),
        track("where is it?"),
        track("where is ORD-1234?", "ORD-1234"),
    )
    found = await run(Endpoint(completion(answer)), tmp_path, plan(1))
    assert found.rejected == {"duplicate": 1, "not_grounded": 1, "parse": 1, "schema": 1}
    assert (found.rows, found.done, found.failed) == (1, 1, 0)
    kept = rejected(tmp_path)
    assert [item["code"] for item in kept] == ["parse", "schema", "not_grounded", "duplicate"]
    assert [item["raw"] for item in kept] == answer.split("\n")[1:]
    assert all(item["reason"] and item["task"] == "call/track_order/0" for item in kept)


async def test_a_task_without_rows_is_told_counted_and_asked_again_last(tmp_path: Path):
    first = Endpoint(completion("I cannot."), fresh_rows())
    found = await run(first, tmp_path)
    assert (found.done, found.failed, found.rejected) == (4, 1, {"no_rows": 1})
    assert found.usage == Usage(500, 100)
    why = "wrote prose and no rows: 'I cannot.' (finish_reason stop)"
    assert entries(tmp_path)[0]["failed"] == why
    assert rejected(tmp_path)[0]["raw"] == "I cannot."
    second = Endpoint(completion(lines(track("ORD-4821, any news of it?"))))
    found = await run(second, tmp_path, limit=5)
    assert (found.done, found.failed, found.rows, len(second.asked)) == (5, 0, 9, 1)
    assert found.usage == Usage(600, 120)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (httpx.Response(400, json={"error": {"message": "filtered"}}), "answers 400: filtered"),
        (httpx.ReadTimeout("slow"), "did not answer in time (asked 3 times)"),
    ],
)
async def test_a_task_that_the_teacher_refuses_does_not_keep_it_from_the_others(
    tmp_path: Path, fault: Any, said: str
):
    good = fresh_rows()

    class Choosy(Endpoint):
        async def answer(self, request: httpx.Request) -> httpx.Response:
            refused = "Write 3 rows" in json.loads(request.content)["messages"][1]["content"]
            self.answers = [fault if refused else good]
            return await super().answer(request)

    asked = Plan((task(0, rows=3), task(1), task(2)), 7)
    found = await run(Choosy(), tmp_path, asked)
    assert (found.done, found.failed, found.rejected) == (2, 1, {"no_answer": 1})
    assert found.usage == Usage(200, 40)
    assert entries(tmp_path)[0]["failed"] == rejected(tmp_path)[0]["reason"] == said
    again = Choosy()
    assert (await run(again, tmp_path, asked)).failed == 1
    assert json.loads(again.asked[0].content)["messages"][1]["content"].startswith("Write 3 rows")
    assert (await run(Endpoint(good), tmp_path, asked)).failed == 0


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            completion(lines({"rows": [track("where is ORD-4821?")]})),
            "large wrote no row (a row needs a `target`): ",
        ),
        (httpx.Response(400, json={"error": "no such model"}), "large answers 400: no such model"),
        (completion("As a language model, I"), "large wrote prose and no rows: 'As a language"),
        (completion("", ended="length"), "wrote nothing at all (finish_reason length)"),
        (completion(None), "wrote nothing at all"),
        (completion("<think>and so on", ended="length"), "nothing at all (finish_reason length)"),
    ],
)
async def test_a_teacher_that_never_writes_rows_ends_the_run(
    tmp_path: Path, answer: httpx.Response, said: str
):
    endpoint = Endpoint(answer)
    with pytest.raises(TeacherError) as caught:
        await run(endpoint, tmp_path)
    assert str(caught.value).startswith("3 answers in a row hold no rows; ")
    assert said in str(caught.value)
    assert (len(endpoint.asked), len(entries(tmp_path))) == (3, 3)


async def test_a_full_disk_ends_the_run(tmp_path: Path):
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no device that is always full")

    def fill(_: Any) -> httpx.Response:
        (tmp_path / "rows.jsonl").symlink_to(full)
        return completion(lines(track("where is ORD-4821?")))

    endpoint = Endpoint(fill)
    with pytest.raises(JournalError, match="No space left on device"):
        await run(endpoint, tmp_path)
    assert (len(endpoint.asked), entries(tmp_path)) == (1, [])
