"""One general adapter on part of BFCL v4, and how it does on tools that it never saw.

    python -m training.general --base-model DIR [--data FOLDER] [--out .runs/general] [--rows N]

Steps: rows of the benchmark's training part, those too long dropped, and apart from them rows to
validate with, of other tools -> train, each row showing its own tools -> an adapter folder without
a threshold -> ask adapter and base model the same cases of held-out tools -> report. Each step
leaves its result under `--out`, so a killed run goes on where it was.

The figures tell how far learning some tools carries over to others of the same benchmark, and no
more: rows and cases come from the same hands. They do not compare with the leaderboard's.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from transformers import AutoTokenizer

from gateway.commands.output import progress
from gateway.engines.base import Engine
from gateway.engines.local import LocalEngine
from gateway.files import write_whole
from gateway.manifest import Adapter, BaseModelSpec, Calibration, read_adapter
from gateway.tokens import Tokenizer
from gateway.types import Toolset
from gateway.weights import weights_digest
from training.bfcl.files import PACKAGE, BfclError, Case, cases_digest, installed_data, read_cases
from training.bfcl.parts import NO_TOOLSET, parts
from training.bfcl.run import evaluate_bfcl
from training.commands.benchmark import IN_FAMILY, Taken, table, take
from training.environment import environment
from training.publish import write_folder
from training.rows import read_rows, row_json
from training.run import FINISHED, RunMismatch, require_same_run
from training.settings import Settings
from training.sft import train

NAME = "general"
ROWS = 1_200
CASES = 40
SETTINGS = Settings(
    form="schemas",
    toolset_mode="varied",
    refresh=False,  # no schema of BFCL tells by a pattern what an identifier looks like
    learning_rate=1e-3,
    batch_size=4,  # by estimate, eight of the longest rows would take 20 GB on a processor
    epochs=1.0,
    max_length=1_024,
)


def main() -> None:
    """Command line of this script."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base-model", type=Path, required=True)
    parser.add_argument(
        "--data", type=Path, default=Path(PACKAGE), help="BFCL's folder; else the package's"
    )
    parser.add_argument("--out", type=Path, default=Path(".runs/general"))
    parser.add_argument("--rows", type=int, default=ROWS, help="at most so many to train on")
    parser.add_argument("--limit", type=int, default=CASES, help="held-out cases of each category")
    parser.add_argument(
        "--epochs", type=float, default=SETTINGS.epochs, help="passes over the rows"
    )
    parser.add_argument(
        "--max-length",
        type=int,
        default=SETTINGS.max_length,
        help="tokens; longer rows are left out",
    )
    parser.add_argument("--seed", type=int, default=SETTINGS.seed)
    options = parser.parse_args()
    if min(options.rows, options.limit) < 1:
        parser.error("--rows and --limit are at least 1")
    if options.epochs <= 0 or options.max_length < 1:
        parser.error("--epochs is above 0, --max-length at least 1")
    try:
        make(options, LocalEngine(options.base_model))
    except (BfclError, RunMismatch) as exc:
        sys.exit(f"refused: {exc}")


def make(options: argparse.Namespace, engine: Engine) -> dict[str, Any]:
    """Every step with the options of the command line; returns the report.

    Raises:
        BfclError: the data cannot be used.
        RunMismatch: `options.out` holds the beginning of another run.
    """
    data, source = located(options.data)
    out = options.out
    settings = replace(
        SETTINGS, seed=options.seed, epochs=options.epochs, max_length=options.max_length
    )
    digest = weights_digest(options.base_model)
    identity = {
        **asdict(settings),
        "rows": options.rows,
        "cases": cases_digest(read_cases(data)),
        "base_model": digest,
    }
    require_same_run(out, identity)
    cases, _ = take(Taken(data, limit=options.limit, held_out=True))
    tokenizer: Any = AutoTokenizer.from_pretrained(options.base_model)
    counts = prepare(data, tokenizer, options.rows, settings, out / "rows")
    print(
        f"{counts['train']} rows to train on, {counts['validation']} to validate with; left out: "
        f"{counts['too_long']} of more than {settings.max_length} tokens, {counts['refused']} "
        f"refused, {counts['left_over']} more than --rows",
        file=sys.stderr,
        flush=True,
    )
    rows, validation = out / "rows" / "train.jsonl", out / "rows" / "validation.jsonl"
    toolset = largest_offer(validation)
    if not (out / "run" / FINISHED).is_file():
        train(toolset, rows, validation, options.base_model, out / "run", settings)
    spec = BaseModelSpec(name=options.base_model.name, weights_digest=digest)
    adapter = adapter_of(out / "run", out / "adapter", toolset, spec)
    report = {
        "benchmark": "bfcl",
        "note": IN_FAMILY,
        "data": source,
        "held_out": True,
        "limit": options.limit,
        "cases_digest": cases_digest(cases),
        "rows": counts,
        "settings": asdict(settings),
        "systems": asyncio.run(grade(engine, adapter, cases, out / "answers")),
    }
    _write(out / "report.json", report)
    Console().print(table(report))
    return report


def located(data: Path) -> tuple[Path, str]:
    """The folder of the data and what to call it; `bfcl-eval` means the installed package's.

    Raises:
        BfclError: the package is not installed.
    """
    if data != Path(PACKAGE) or data.exists():
        return data, data.name
    folder, version = installed_data()
    return folder, f"{PACKAGE} {version}"


def prepare(
    data: Path, tokenizer: Tokenizer, most: int, settings: Settings, folder: Path
) -> dict[str, Any]:
    """Write both parts and their counts into `folder`, once; returns the counts.

    Raises:
        BfclError: the data cannot be used, or leaves no rows.
    """
    if not folder.is_dir():
        found = parts(data, tokenizer, most, settings)
        # The next run takes a folder of this name for whole.
        made = folder.with_name(f".{folder.name}.partial")
        made.mkdir(parents=True, exist_ok=True)
        for name, rows in (("train", found.train), ("validation", found.validation)):
            lines = [json.dumps(row_json(row), ensure_ascii=False) + "\n" for row in rows]
            (made / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
        _write(made / "counts.json", found.counts)
        made.rename(folder)
    return json.loads((folder / "counts.json").read_text(encoding="utf-8"))


def largest_offer(validation: Path) -> Toolset:
    """The adapter's own toolset: of those it is validated with, the one with the most tools.

    A varied adapter is shown what is on offer; its own toolset gives it a name, and something to
    be probed with.
    """
    offers = [row.offered for row in read_rows(validation, NO_TOOLSET) if row.offered]
    return Toolset(NAME, max(offers, key=lambda offered: len(offered.tools)).tools)


def adapter_of(run: Path, folder: Path, toolset: Toolset, base_model: BaseModelSpec) -> Adapter:
    """The folder of a finished run. Written once, for it names the moment it was made.

    Nothing is calibrated, so nothing is withheld for want of confidence.
    """
    if folder.is_dir():
        return read_adapter(folder)
    return write_folder(
        run, folder, name=NAME, toolset=toolset, base_model=base_model, probes=(), eval_rows=(),
        calibration=Calibration(threshold=0.0),
        environment={**environment(), "measured": "when published"},
    )  # fmt: skip


async def grade(
    engine: Engine, adapter: Adapter, cases: Sequence[Case], folder: Path
) -> dict[str, Any]:
    """System -> report; one that `folder` keeps, of the same system and cases, is taken as it is.

    Raises:
        AdapterRefused, EngineDown: the adapter cannot be loaded, or the engine fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {}
    await engine.start()
    try:
        await engine.load(adapter.version, adapter.folder)
        for name, system in (("adapter", adapter), ("base_model", None)):
            file = folder / f"{name}.json"
            key = [system.version if system else name, cases_digest(cases)]
            kept = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
            if kept.get("key") != key:
                report = await evaluate_bfcl(
                    engine, system, cases, held_out=True, progress=progress
                )
                kept = {"key": key, "report": report}
                _write(file, kept)
            found[name] = kept["report"]
    finally:
        await engine.close()
    return found


def _write(file: Path, value: Any) -> None:
    """Write JSON to a file."""
    write_whole(file, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
