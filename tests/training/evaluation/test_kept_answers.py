"""Answers that survive a kill, and a grading that goes on from them."""

from pathlib import Path

import pytest

from gateway.engines.base import Prompt
from gateway.engines.scripted import ScriptedEngine
from gateway.kept import KeptAnswers
from gateway.manifest import read_adapter
from gateway.types import Call, Evidence, Message, Route, Usage
from tests.adapters import write_adapter
from training.evaluate import answers, evaluate
from training.rows import Row

TRACK = {"tool": "track_order", "arguments": {"order_id": "ORD-1234"}}
NO_TOOL = {"tool": "no_tool", "reason": "chat"}
ROWS = [
    Row((Message("user", f"where is ORD-1234, asked {n} times"),), TRACK, "call", "test")
    for n in range(8)
]
ROUTES = (
    Route((Call("track_order", {"order_id": "ORD-1"}),), None, None, 0.9, Evidence(-0.1, -0.2)),
    Route(reason="chat", usage=Usage(10, 4)),
    Route(error="no JSON"),
)


class Counted(ScriptedEngine):
    """Answers as scripted, and counts what it was asked."""

    def __init__(self, digest: str | None = None) -> None:
        super().__init__(lambda prompt: self._answer(prompt), logprob=-0.1, digest=digest)
        self.asked = 0

    def _answer(self, prompt: Prompt) -> object:
        self.asked += 1
        return NO_TOOL if prompt.adapter is None else TRACK


def test_what_was_put_is_there_in_the_next_run(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    first = KeptAnswers(file)
    for number, route in enumerate(ROUTES):
        first.put(str(number), route, number / 2)
    again = KeptAnswers(file)
    assert [again.get(str(n)) for n in range(3)] == [(r, n / 2) for n, r in enumerate(ROUTES)]
    assert again.get("3") is None


def test_a_half_written_line_is_asked_again_and_spoils_nothing(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    kept = KeptAnswers(file)
    kept.put("one", ROUTES[0], 1.0)
    kept.put("two", ROUTES[1], 1.0)
    file.write_bytes(file.read_bytes()[:-20])
    killed = KeptAnswers(file)
    assert killed.get("one") is not None
    assert killed.get("two") is None
    killed.put("two", ROUTES[2], 1.0)
    assert KeptAnswers(file).get("two") == (ROUTES[2], 1.0)


def test_forgotten_answers_are_asked_anew(tmp_path: Path) -> None:
    kept = KeptAnswers(tmp_path / "answers.jsonl")
    kept.put("one", ROUTES[0], 1.0)
    kept.forget()
    assert kept.get("one") is None
    assert KeptAnswers(tmp_path / "answers.jsonl").get("one") is None


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    file.write_text('{"key": "one"}\n')
    with pytest.raises(ValueError, match=r"answers\.jsonl:1"):
        KeptAnswers(file)


async def test_a_grading_that_was_killed_asks_only_for_the_rest(tmp_path: Path) -> None:
    adapter = read_adapter(write_adapter(tmp_path / "adapter"))
    engine = Counted()
    await engine.load(adapter.version, adapter.folder)
    file = tmp_path / "answers.jsonl"
    await answers(engine, adapter, ROWS[:5], constrained=True, kept=KeptAnswers(file))
    assert engine.asked == 5
    report = await evaluate(
        engine, adapter, ROWS, base_model=False, free=False, kept=KeptAnswers(file)
    )
    assert engine.asked == len(ROWS)
    assert report["adapter"]["constrained"]["exact"]["k"] == len(ROWS)
    await answers(engine, adapter, ROWS, constrained=False, kept=KeptAnswers(file))
    assert engine.asked == 2 * len(ROWS)


async def test_answers_on_another_base_model_are_none_of_this_one(tmp_path: Path) -> None:
    adapter = read_adapter(write_adapter(tmp_path / "adapter"))
    kept = KeptAnswers(tmp_path / "answers.jsonl")
    for digest in ("a", "b"):
        engine = Counted(digest)
        await engine.load(adapter.version, adapter.folder)
        for _ in range(2):
            await answers(engine, adapter, ROWS, constrained=True, kept=kept)
        assert engine.asked == len(ROWS)


async def test_the_base_model_may_be_asked_for_fewer_rows_and_is_compared_on_those(
    tmp_path: Path,
) -> None:
    adapter = read_adapter(write_adapter(tmp_path / "adapter"))
    engine = Counted()
    await engine.load(adapter.version, adapter.folder)
    report = await evaluate(engine, adapter, ROWS, base_rows=3)
    assert engine.asked == 2 * len(ROWS) + 2 * 3
    assert report["base_model"]["constrained"]["exact"]["n"] == 3
    assert report["mcnemar_constrained"]["only_second"] == 3
    assert report["adapter"]["constrained"]["exact"]["n"] == len(ROWS)
