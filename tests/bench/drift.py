"""Drift on real tool lists: renames found among decoys, and the time that comparing takes.

    make bench-drift

The lists are asked of real servers, which are installed beneath a folder that git ignores (see
`tests/bench/tool_lists.py`). Thresholds were set with some of them in view; the figures are of
the others. Prints a table, and one JSON object as its last line.
"""

import argparse
import json
import statistics
import time
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

from mcp.types import Tool

from gateway.drift import compare
from gateway.types import Toolset
from tests.bench.renames import Found, measured
from tests.bench.tool_lists import SERVERS, tool_lists
from tests.gateway.drift.mutations import MEANING, SPELLING

SEED = 20261126
TOOLS = 1_000
RUNS = 9


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--lists", type=Path, default=Path(".runs/tool-lists"))
    lists = tool_lists(parser.parse_args().lists)
    print(json.dumps({**renames(lists), **times(lists)}))


def renames(lists: dict[str, Toolset]) -> dict[str, Any]:
    """Recall and precision over the lists that were held out, and over the others."""
    tuned = {"support", *(server.name for server in SERVERS if server.tuned)}
    sums = {True: Found(), False: Found()}
    print(f"{'tools from':30}{'tools':>6}{'renames':>9}{'found':>7}{'wrongly':>9}")
    for name, toolset in lists.items():
        found = measured(toolset, SEED)
        sums[name in tuned] += found
        wrong, mark = found.claimed - found.right, "" if name in tuned else " (held out)"
        print(f"{name + mark:30}{len(toolset.tools):6}{found.renames:9}{found.right:7}{wrong:9}")
    held = sums[False]
    return {
        "rename_recall": held.recall.as_dict(),
        "rename_precision": held.precision.as_dict(),
        "rename_tuned": {
            "recall": sums[True].recall.as_dict(), "precision": sums[True].precision.as_dict(),
        },
    }  # fmt: skip


def times(lists: dict[str, Toolset]) -> dict[str, float]:
    """Milliseconds to compare 1,000 real tools, read anew: as they are, and with 100 changed."""
    real = [tool for toolset in lists.values() for tool in toolset.tools]
    named = [
        real[i % len(real)].model_copy(update={"name": f"{real[i % len(real)].name}_{i}"})
        for i in range(TOOLS)
    ]
    trained = Toolset("thousand", tuple(named))
    unchanged = {tool.name: tool.model_copy(deep=True) for tool in named}
    drifted = changed(named, Random(SEED))
    found = compare(trained, drifted)
    print(f"of {TOOLS} tools {len(found.tools)} drifted, the worst {found.worst}")
    return {
        "compare_1000_ms": _milliseconds(trained, drifted),
        "compare_1000_unchanged_ms": _milliseconds(trained, unchanged),
    }


def changed(tools: list[Tool], random: Random) -> dict[str, Tool]:
    """The tools read anew: in every tenth a change of spelling or meaning, or another name."""
    live: dict[str, Tool] = {}
    for i, tool in enumerate(tools):
        new = tool.model_copy(deep=True)
        if i % 10 == 0:
            new.name, new.input_schema = _drifted(new, i, random)
        live[new.name] = new
    return live


def _drifted(tool: Tool, i: int, random: Random) -> tuple[str, dict[str, Any]]:
    if i % 100 == 0:
        return f"renamed-{tool.name}", tool.input_schema
    mutations = random.sample([*SPELLING, *MEANING], k=20)
    schemas = (m.apply(deepcopy(tool.input_schema), random) for m in mutations)
    return tool.name, next((s for s in schemas if s is not None), tool.input_schema)


def _milliseconds(trained: Toolset, live: dict[str, Tool]) -> float:
    taken: list[float] = []
    for _ in range(RUNS):
        fresh = {name: tool.model_copy(deep=True) for name, tool in live.items()}
        started = time.perf_counter()
        compare(trained, fresh)
        taken.append((time.perf_counter() - started) * 1000)
    return round(statistics.median(taken), 1)


if __name__ == "__main__":
    main()
