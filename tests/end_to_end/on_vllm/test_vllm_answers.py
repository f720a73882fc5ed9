"""vLLM and the embedded engine give the same answers with the same adapter.

Both compute in bfloat16, but sum in another order, so that they may write another token where two
are about as likely. Every difference must be such a tie, or the test fails.
"""

import asyncio
import json
import math
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

import pytest

from gateway.engines.base import Completion, Engine, Prompt
from gateway.engines.local import LocalEngine
from gateway.engines.vllm import VllmEngine
from gateway.formats.known import FORMATS
from gateway.manifest import Adapter, read_adapter
from gateway.types import Call
from tests.bench.prompts import router_prompt
from tests.end_to_end.on_vllm import stack
from tests.end_to_end.on_vllm.stack import BASE_MODEL, ROOT, SUPPORT
from training.rows import Row, read_rows

pytestmark = pytest.mark.vllm
ROWS = ROOT / "training" / "data" / "support" / "test"
N = 50
TIE = 0.25
"""Natural log of the odds up to which two tokens count as about as likely. Logits of 16 to 32, as
here, are 0.125 apart in bfloat16, and each of the two can be off by one such step."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One request, and what each engine completed its prompt with."""

    row: Row
    prompt: Prompt
    here: Completion
    there: Completion


def rows_throughout(adapter: Adapter) -> list[Row]:
    """Every k-th row of the test split, so that each file and each part of it is asked."""
    rows = read_rows(ROWS, adapter.toolset)
    return rows[:: len(rows) // N][:N]


def answer(adapter: Adapter, completion: Completion) -> tuple[Call, ...] | str:
    """The calls; a no_tool is one answer, however its reason is worded."""
    route = FORMATS[adapter.manifest.prompt.format].parse(completion.text)
    return route.calls or route.error or "no_tool"


def either(*texts: str) -> str:
    """The grammar of completions that are one of the texts."""
    return "start: " + " | ".join(json.dumps(text, ensure_ascii=False) for text in texts)


async def log_odds(engine: Engine, pair: Pair) -> float:
    """By how much one engine prefers one of the two texts, as the natural log of the odds.

    The engine may write nothing but one of them, so all tokens are forced but the first that
    differs, and only the two candidates for that one are weighed.
    """
    grammar = either(pair.here.text, pair.there.text)
    found = await engine.complete(replace(pair.prompt, schema=None, grammar=grammar))
    assert found.text in (pair.here.text, pair.there.text)
    rest = -math.expm1(found.logprob)
    return found.logprob - math.log(rest) if rest > 0 else math.inf


async def compared(url: str, adapter: Adapter) -> tuple[list[Pair], list[tuple[Pair, float]]]:
    """All pairs, and those whose answers differ with the embedded engine's odds."""
    here, there = LocalEngine(BASE_MODEL), VllmEngine(url, BASE_MODEL)
    async with AsyncExitStack() as open_engines:
        for engine in (here, there):
            open_engines.push_async_callback(engine.close)
            await engine.start()
            await engine.load(adapter.version, adapter.folder)
        pairs: list[Pair] = []
        for row in rows_throughout(adapter):
            prompt = await router_prompt(row.messages, adapter)
            pairs.append(
                Pair(row, prompt, await here.complete(prompt), await there.complete(prompt))
            )
        differ = [p for p in pairs if answer(adapter, p.here) != answer(adapter, p.there)]
        return pairs, [(pair, await log_odds(here, pair)) for pair in differ]


async def odds_of_a_wrong_tool(adapter: Adapter) -> float:
    """As `compared` judges: the embedded engine's odds of its answer against another tool's."""
    engine = LocalEngine(BASE_MODEL)
    await engine.start()
    try:
        await engine.load(adapter.version, adapter.folder)
        row = rows_throughout(adapter)[0]
        prompt = await router_prompt(row.messages, adapter)
        right = await engine.complete(prompt)
        wrong = replace(right, text=right.text.replace("track_order", "cancel_order"))
        assert wrong != right
        return await log_odds(engine, Pair(row, prompt, right, wrong))
    finally:
        await engine.close()


def test_an_answer_with_another_tool_is_no_tie() -> None:
    assert asyncio.run(odds_of_a_wrong_tool(read_adapter(SUPPORT))) > TIE


def test_answers_are_those_of_the_embedded_engine_but_for_ties(
    vllm: stack.Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    adapter = read_adapter(SUPPORT)
    pairs, differ = asyncio.run(compared(vllm.url, adapter))
    assert len(pairs) == N
    told = [
        f"{pair.row.place}: {pair.row.text}\n  embedded {pair.here.text}\n  vLLM     "
        f"{pair.there.text}\n  log-odds of the first token that differs: {odds:.3f}"
        for pair, odds in differ
    ]
    with capsys.disabled():
        print("".join(f"\n{text}" for text in (f"{len(differ)} of {N} answers differ", *told)))
    assert not [text for text, (_, odds) in zip(told, differ, strict=True) if odds > TIE]
