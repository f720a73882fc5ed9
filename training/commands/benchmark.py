"""`pointsman evaluate --benchmark bfcl`: an adapter and its base model on a public yardstick.

`evaluate` calls `run_benchmark` with its options; this module reads the cases, starts the engine,
and shows the report. What is asked and how it counts stands in `training.bfcl`.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from gateway.commands.output import CANNOT_TELL, CommandFailed, progress
from gateway.engines.base import Engine
from gateway.formats.base import FormatName
from gateway.impact.rows import spread
from gateway.manifest import read_adapter
from gateway.prompt import PromptForm
from training.bfcl.files import (
    CATEGORIES,
    PACKAGE,
    Case,
    cases_digest,
    installed_data,
    read_cases,
)
from training.bfcl.run import evaluate_bfcl
from training.bfcl.splits import split
from training.commands.output import errors

BENCHMARKS = ("bfcl",)
IN_FAMILY = (
    "For an adapter trained on this benchmark's rows an in-family figure: these tools are none of "
    "its rows', but both come from one benchmark. Not comparable with the leaderboard."
)


@dataclass(frozen=True)
class Asked:
    """Who is asked, and how: an adapter's folder (None: the base model alone) and the form.

    `with_base` also asks the base model beside an adapter; `form` overrides how tools are shown;
    `base_format` is how the base model is asked, an adapter has its own.
    """

    adapter: Path | None
    with_base: bool = True
    form: PromptForm | None = None
    base_format: FormatName = "json"
    constrained: bool = True


@dataclass(frozen=True)
class Taken:
    """Which cases are asked; none are left out unless it is said here.

    `data` is a folder of BFCL's files, else the installed package's are read. `categories` has
    commas between. `limit` takes that many cases of each category, evenly spread. `held_out` takes
    the test part of the split by tool alone, for an adapter that was trained on BFCL's rows.
    """

    data: Path | None = None
    categories: str = ""
    limit: int | None = None
    held_out: bool = False


def run_benchmark(
    benchmark: str,
    base_model: Path,
    asked: Asked,
    taken: Taken,
    *,
    out: Path | None = None,
    as_json: bool = False,
    make_engine: Callable[[Path], Engine] | None = None,
) -> None:
    """Run a benchmark, print its report, and write it to `out` as well.

    Ends the command with one line and an exit code if something is wrong.
    """
    with errors("local", as_json):
        if benchmark not in BENCHMARKS:
            known = ", ".join(BENCHMARKS)
            raise CommandFailed(f"no benchmark {benchmark!r}; there is {known}", CANNOT_TELL)
        cases, source = take(taken)
        engine = (make_engine or _local_engine)(base_model)
        report: dict[str, Any] = {
            "benchmark": benchmark,
            "data": source,
            "held_out": taken.held_out,
            "limit": taken.limit,
            "cases_digest": cases_digest(cases),
            "systems": asyncio.run(_systems(engine, asked, cases, taken.held_out)),
        }
        if out is not None:
            text = json.dumps(report, indent=1, ensure_ascii=False)
            out.write_text(text + "\n", encoding="utf-8")
    if as_json:
        print(json.dumps(report, ensure_ascii=False))
    else:
        Console().print(table(report))


def take(taken: Taken) -> tuple[list[Case], str]:
    """The cases to ask, and where they come from: the package's version or the folder's name.

    The split is made over the cases of all categories, whatever is taken of it afterwards.

    Raises:
        ValueError: a category is unknown, a file missing or broken, or nothing is left.
    """
    names = [name.strip() for name in taken.categories.split(",") if name.strip()]
    names = names or list(CATEGORIES)
    if taken.limit is not None and taken.limit < 1:
        raise ValueError(f"a limit of {taken.limit} cases leaves none")
    folder, source = (taken.data, taken.data.name) if taken.data else _installed()
    pool = read_cases(folder, CATEGORIES if taken.held_out else names)
    if taken.held_out:
        pool = split(pool).test
    found = [
        case
        for name in names
        for case in spread([case for case in pool if case.category == name], taken.limit)
    ]
    if not found:
        raise ValueError(f"no cases of {', '.join(names)} are left to ask")
    return found, source


async def _systems(
    engine: Engine, asked: Asked, cases: Sequence[Case], held_out: bool
) -> dict[str, Any]:
    """System -> report."""
    adapter = read_adapter(asked.adapter) if asked.adapter else None
    systems = [adapter, None] if adapter and asked.with_base else [adapter]
    found: dict[str, Any] = {}
    await engine.start()
    try:
        if adapter:
            await engine.load(adapter.version, adapter.folder)
        for system in systems:
            found["adapter" if system else "base_model"] = await evaluate_bfcl(
                engine,
                system,
                cases,
                form=asked.form,
                base_format=asked.base_format,
                constrained=asked.constrained,
                held_out=held_out,
                progress=progress,
            )
    finally:
        await engine.close()
    return found


def _installed() -> tuple[Path, str]:
    folder, version = installed_data()
    return folder, f"{PACKAGE} {version}"


def _local_engine(base_model: Path) -> Engine:
    from gateway.engines.local import LocalEngine

    return LocalEngine(base_model)


def table(report: dict[str, Any]) -> Table:
    """A report for a person: a column a system. Held-out tools alone give no leaderboard's sums."""
    systems: dict[str, dict[str, Any]] = report["systems"]
    held_out = bool(report["held_out"])
    part = ", held-out tools" if held_out else ""
    made = Table(
        title=f"BFCL v4, single turn, Python{part} ({report['data']})",
        caption=IN_FAMILY if held_out else None,
    )
    made.add_column("category")
    for found in systems.values():
        made.add_column(f"{found['system']}, {found['form']}", justify="right")
    first = next(iter(systems.values()))
    for name in first["categories"]:
        made.add_row(name, *(_share(found["categories"][name]) for found in systems.values()))
    made.add_section()
    for name in ("overall", "valid"):
        made.add_row(f"{name}, all cases", *(_share(found[name]) for found in systems.values()))
    for name in first.get("leaderboard", ()):
        cells = [found["leaderboard"][name] for found in systems.values()]
        made.add_row(f"leaderboard: {name}", *(_percent(cell) for cell in cells))
    return made


def _share(value: dict[str, Any]) -> str:
    low, high = value["ci95"]
    return f"{_percent(value['value'])} ({100 * low:.0f}-{100 * high:.0f}), n {value['n']}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"
