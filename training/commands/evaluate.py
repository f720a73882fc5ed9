"""`pointsman evaluate`: grade an adapter and its base model on rows."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from gateway.manifest import Adapter, read_adapter
from training.commands.output import DEFAULT_BASE_MODEL, AsJson, errors, progress

FIGURES = (
    "valid_tool_call_rate",
    "tool_name_accuracy",
    "argument_match_accuracy",
    "exact",
    "false_tool_call_rate",
    "missed_call_rate",
    "wrong_call_rate",
    "coverage",
)


def mount(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("evaluate")(evaluate)


def evaluate(
    adapter: Annotated[str, typer.Option(help="Adapter folder.")],
    data: Annotated[Path, typer.Option(help="File or folder of rows (.jsonl).")],
    base_model: Annotated[Path, typer.Option()] = DEFAULT_BASE_MODEL,
    with_base: Annotated[
        bool, typer.Option("--base/--no-base", help="Also grade the base model alone.")
    ] = True,
    out: Annotated[Path | None, typer.Option(help="Also write the report here.")] = None,
    as_json: AsJson = False,
) -> None:
    """Grade an adapter, and its base model, on rows."""
    with errors("local"):
        report = asyncio.run(_report(Path(adapter), data, base_model, with_base))
    if out is not None:
        out.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    if as_json:
        print(json.dumps(report, ensure_ascii=False))
    else:
        Console().print(_table(report))


async def _report(folder: Path, data: Path, base_model: Path, with_base: bool) -> dict[str, Any]:
    from gateway.engines.local import LocalEngine
    from training.evaluate import evaluate as graded
    from training.rows import read_rows

    adapter: Adapter = read_adapter(folder)
    rows = read_rows(data, adapter.toolset)
    engine = LocalEngine(base_model)
    await engine.start()
    try:
        await engine.load(adapter.version, adapter.folder)
        return await graded(engine, adapter, rows, base_model=with_base, progress=progress)
    finally:
        await engine.close()


def _table(report: dict[str, Any]) -> Table:
    columns = {
        f"{system.replace('_', ' ')}, {mode.replace('_', ' ')}": report[system][mode]
        for system in ("base_model", "adapter")
        if system in report
        for mode in report[system]
    }
    table = Table(title=f"{report['adapter_version']} on {report['rows']} rows")
    table.add_column("figure")
    for name in columns:
        table.add_column(name, justify="right")
    for figure in FIGURES:
        cells = [_cell(column[figure]) for column in columns.values()]
        table.add_row(figure.replace("_", " "), *cells)
    return table


def _cell(value: dict[str, Any]) -> str:
    if value["value"] is None:
        return "-"
    low, high = value["ci95"]
    return f"{100 * value['value']:.1f} %\n{100 * low:.0f}-{100 * high:.0f}"
