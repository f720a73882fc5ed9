"""One change at a time on 1,500 rows: the table in `training/README.md`.

    python -m training.ablate --base-model DIR [--only NAME,NAME] [--seeds 7,8] [--workers N]

Every (variant, seed) is trained in a process of its own, in a folder of its own under `--out`, and
graded with the grammar and the threshold off on the same validation rows; its line in
`training/ablation.jsonl` says that it is done. So the work may be spread over days and machines:
with `--train-only` a GPU trains what a processor grades later, from the same folders; two commands
at a time need an `--out` each. The table is printed at the end.
"""

import argparse
import asyncio
import json
import random
import re
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway.engines.local import LocalEngine
from gateway.types import Toolset
from training.dpo import SecondStage, refine
from training.evaluate import evaluate
from training.publish import unpublished
from training.rows import Row, read_rows, row_json
from training.run import read_record
from training.settings import Settings
from training.sft import train

ROWS = 1_500
NO_TOOL_SHARE = 0.17
GRADED_ROWS = 200
BASELINE = Settings(learning_rate=1.5e-3, batch_size=8, epochs=1.0)
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "baseline": {},
    "rank 8": {"rank": 8, "alpha": 16},
    "attention only": {"target_modules": "attention"},
    "attention only at rank 32": {"target_modules": "attention", "rank": 32, "alpha": 64},
    "MLP only": {"target_modules": "mlp"},
    "prompt: a line a tool": {"form": "lines", "max_length": 1_024},
    "prompt: all schemas": {"form": "schemas", "max_length": 3_072},
    "no_tool 8 %": {"no_tool_share": 0.08},
    "no_tool 30 %": {"no_tool_share": 0.30},
    "learning rate 5e-4": {"learning_rate": 5e-4},
    "learning rate 3e-3": {"learning_rate": 3e-3},
    "second stage": {"second_stage": SecondStage(pairs=400)},
}
"""Name -> what differs from the baseline: fields of `Settings`, `no_tool_share` of the data, or a
`second_stage` with preference pairs of the same rows. Each can be served, so there is no rank 32
on all layers, which has 19 MB."""


def sample(rows: Sequence[Row], n: int, no_tool_share: float, seed: int) -> list[Row]:
    """`n` rows with the wanted share of no_tool rows, the same for the same seed.

    Raises:
        ValueError: there are too few rows of one of the two sorts.
    """
    rng = random.Random(seed)
    none = [row for row in rows if not row.calls]
    calls = [row for row in rows if row.calls]
    wanted = round(n * no_tool_share)
    if wanted > len(none) or n - wanted > len(calls):
        raise ValueError(f"{wanted} no_tool and {n - wanted} call rows wanted, too few are there")
    return rng.sample(none, wanted) + rng.sample(calls, n - wanted)


def table(results: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: a line a variant, its seeds' figures and their means, best exact rate first."""
    lines = [
        "| change | exact, by seed | mean | right tool | arguments | wrong calls | minutes |",
        "|---|---|---|---|---|---|---|",
    ]
    by_seed = sorted(results, key=lambda result: result["seed"])
    groups = {name: [r for r in by_seed if r["variant"] == name] for name in VARIANTS}
    means = {name: statistics.mean(r["exact"] for r in g) for name, g in groups.items() if g}
    for name in sorted(means, key=means.__getitem__, reverse=True):
        group = groups[name]
        each = ", ".join(f"{100 * r['exact']:.1f}" for r in group)
        cells = [
            f"{100 * statistics.mean(r[figure] for r in group):.1f}"
            for figure in (
                "exact", "tool_name_accuracy", "argument_match_accuracy", "wrong_call_rate",
            )
        ]  # fmt: skip
        minutes = statistics.mean(r["seconds"] for r in group) / 60
        lines.append(f"| {name} | {each} | {' | '.join(cells)} | {minutes:.0f} |")
    return "\n".join(lines)


def run_one(variant: str, seed: int, options: argparse.Namespace) -> None:
    """Train one variant with one seed and grade it, unless that is done already."""
    if not left([variant], [seed], _read(options.results)):
        return
    changes = dict(VARIANTS[variant])
    share = changes.pop("no_tool_share", NO_TOOL_SHARE)
    second: SecondStage | None = changes.pop("second_stage", None)
    settings = replace(BASELINE, **changes, seed=seed)
    toolset = Toolset.from_json(json.loads(options.toolset.read_text()))
    chosen = sample(read_rows(options.data / "train", toolset), ROWS, share, seed)
    graded = random.Random(0).sample(read_rows(options.data / "validation", toolset), GRADED_ROWS)
    run = folder_of(options.out, variant, seed)
    run.mkdir(parents=True, exist_ok=True)
    learned = _written(run / "train.jsonl", chosen)
    validation = _written(run / "validation.jsonl", graded)
    trained = train(toolset, learned, validation, options.base_model, run, settings)
    if second is not None:
        trained = refine(toolset, learned, options.base_model, run, run / "second", second)
    if options.train_only:
        return
    report = asyncio.run(_graded(trained, toolset, graded, options.base_model))
    scores = report["adapter"]["constrained"]
    record = read_record(trained)
    figures = ("exact", "tool_name_accuracy", "argument_match_accuracy", "wrong_call_rate")
    result = {
        "variant": variant,
        "seed": seed,
        "rows": len(chosen),
        "seconds": record["seconds"],
        "gpus": record["environment"]["hardware"]["gpus"],
        **{name: scores[name]["value"] for name in figures},
        "n": scores["exact"]["n"],
    }
    with options.results.open("a") as file:
        file.write(json.dumps(result) + "\n")


def left(
    names: Sequence[str], seeds: Sequence[int], results: Sequence[Mapping[str, Any]]
) -> list[tuple[str, int]]:
    """The runs that have no line among the results, each once, in the order of the names."""
    done = {(result["variant"], result["seed"]) for result in results}
    wanted = dict.fromkeys((name, seed) for name in names for seed in seeds)
    return [one for one in wanted if one not in done]


def _written(file: Path, rows: Sequence[Row]) -> Path:
    file.write_text("".join(json.dumps(row_json(row)) + "\n" for row in rows))
    return file


def folder_of(out: Path, variant: str, seed: int) -> Path:
    """Where a variant's run with a seed is kept."""
    return out / f"{'-'.join(re.findall(r'[a-z0-9_]+', variant.casefold()))}-seed-{seed}"


async def _graded(run: Path, toolset: Toolset, rows: Sequence[Row], base_model: Path) -> Any:
    adapter = unpublished(run, run / "folder", toolset)
    engine = LocalEngine(base_model)
    await engine.start()
    try:
        await engine.load(adapter.version, adapter.folder)
        return await evaluate(engine, adapter, rows, base_model=False, free=False)
    finally:
        await engine.close()


def main() -> None:
    """Command line of this script."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base-model", type=Path, required=True)
    parser.add_argument("--toolset", type=Path, default=Path("mcp_servers/support/toolset.json"))
    parser.add_argument("--data", type=Path, default=Path("training/data/support"))
    parser.add_argument("--out", type=Path, default=Path(".runs/ablation"), help="for the runs")
    parser.add_argument("--results", type=Path, default=Path("training/ablation.jsonl"))
    parser.add_argument("--only", default=",".join(VARIANTS), help="variants, commas between")
    parser.add_argument("--seeds", default="7,8")
    parser.add_argument("--one", metavar="VARIANT,SEED", help=argparse.SUPPRESS)
    parser.add_argument("--train-only", action="store_true", help="grade nothing yet")
    parser.add_argument("--workers", type=int, default=1, help="so many runs at once")
    options = parser.parse_args()
    if options.one:
        variant, _, seed = options.one.rpartition(",")
        run_one(variant, int(seed), options)
        return
    names = options.only.split(",")
    unknown = [name for name in names if name not in VARIANTS]
    if unknown:
        parser.error(f"unknown variants: {', '.join(unknown)}; there are {', '.join(VARIANTS)}")
    if options.workers < 1:
        parser.error("--workers is at least 1")
    results: Path = options.results
    runs = left(names, [int(seed) for seed in options.seeds.split(",")], _read(results))
    with ThreadPoolExecutor(options.workers) as pool:
        failed = [one for one, code in zip(runs, pool.map(_child, runs), strict=True) if code]
    print(table(_read(results)))
    if failed:
        sys.exit(f"failed: {', '.join(f'{variant}, seed {seed}' for variant, seed in failed)}")


def _child(one: tuple[str, int]) -> int:
    """Exit status of a run in its own process: a training keeps gigabytes until its end."""
    variant, seed = one
    command = [sys.executable, "-m", "training.ablate", *sys.argv[1:]]
    return subprocess.run([*command, "--one", f"{variant},{seed}"]).returncode


def _read(results: Path) -> list[dict[str, Any]]:
    lines = results.read_text().splitlines() if results.exists() else []
    return [json.loads(line) for line in lines]


if __name__ == "__main__":
    main()
