"""Drift on real tool lists: changes between versions, renames among decoys, and its times.

    make bench-drift

Changes between two versions of a server are held against what a person found (`revisions.py`);
renames are made on the newest lists, and the figures are of those that nobody looked at when the
thresholds were set. With `--install` the lists are asked of the servers themselves, which are
installed beneath a folder that git ignores (see `tool_lists.py`). Prints tables, and one JSON
object as its last line.
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
from tests.adapters import support_toolset
from tests.bench.renames import Found, measured
from tests.bench.revisions import compared, kept
from tests.bench.tool_lists import SERVERS, tool_lists
from tests.bench.warning import warn_s
from tests.gateway.drift.mutations import MEANING, SPELLING

SEED = 20261126
TOOLS = 1_000
RUNS = 9
WARNINGS = 3
"""Samples for each transport."""


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--install", action="store_true", help="ask the servers themselves")
    parser.add_argument("--lists", type=Path, default=Path(".runs/tool-lists"))
    options = parser.parse_args()
    live = options.lists if options.install else None
    lists = tool_lists(live) if live else {"support": support_toolset(), **kept()}
    figures = {**revisions(live), **renames(lists), **times(lists), **warnings()}
    print(json.dumps(figures))


def revisions(live: Path | None) -> dict[str, int]:
    """How many pairs of versions were compared, and the changes missed and invented in them."""
    pairs = compared(live)
    print(f"{'versions':70}{'changes':>9}{'missed':>8}{'invented':>10}")
    for item in pairs:
        counts = f"{len(item.expected):9}{len(item.missed):8}{len(item.invented):10}"
        print(f"{item.pair.name:70}{counts}")
    return {
        "pairs": len(pairs),
        "missed": sum(len(item.missed) for item in pairs),
        "invented": sum(len(item.invented) for item in pairs),
    }


def warnings() -> dict[str, float]:
    """The slowest warning after a real server's change, in seconds."""
    found = warn_s(WARNINGS)
    for name, samples in found.items():
        print(f"warned after a change over {name}: " + ", ".join(f"{s:.3f} s" for s in samples))
    return {"warn_s": round(max(max(samples) for samples in found.values()), 3)}


def renames(lists: dict[str, Toolset]) -> dict[str, Any]:
    """Recall and precision over the lists that were held out, and over the others."""
    tuned = {"support", *(server.name for server in SERVERS if server.tuned)}
    sums = {True: Found(), False: Found()}
    print(f"{'tools from':54}{'tools':>6}{'renames':>9}{'found':>7}{'wrongly':>9}")
    for name, toolset in lists.items():
        found = measured(toolset, SEED)
        sums[name in tuned] += found
        wrong, mark = found.claimed - found.right, "" if name in tuned else " (held out)"
        print(f"{name + mark:54}{len(toolset.tools):6}{found.renames:9}{found.right:7}{wrong:9}")
    for held, words in ((False, "held out"), (True, "seen when thresholds were set")):
        shares = sums[held].recall.as_dict(), sums[held].precision.as_dict()
        print(f"{words}: recall {json.dumps(shares[0])}, precision {json.dumps(shares[1])}")
    held_out = sums[False]
    return {
        "rename_recall": held_out.recall.as_dict()["value"],
        "rename_precision": held_out.precision.as_dict()["value"],
    }


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
    print(f"compared unchanged in {_milliseconds(trained, unchanged)} ms")
    return {"compare_1000_ms": _milliseconds(trained, drifted)}


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
