"""`pointsman evaluate`: grade an adapter and its base model on rows."""

import asyncio
import json
import os
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from gateway.commands.output import DEFAULT_BASE_MODEL, progress
from gateway.kept import KeptAnswers
from gateway.manifest import Adapter, read_adapter
from training.commands.benchmark import Asked, Taken, run_benchmark
from training.commands.output import TEACHER_KEY, AsJson, errors

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
    adapter: Annotated[
        str | None, typer.Option(help="Adapter folder; a benchmark also takes none.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="File or folder of rows (.jsonl).")] = None,
    base_model: Annotated[Path, typer.Option()] = DEFAULT_BASE_MODEL,
    with_base: Annotated[
        bool, typer.Option("--base/--no-base", help="Also grade the base model alone.")
    ] = True,
    base_rows: Annotated[
        int | None, typer.Option(min=1, help="Rows drawn for the base model, which takes longest.")
    ] = None,
    teacher: Annotated[
        str | None,
        typer.Option(
            help="Also grade an LLM: an OpenAI-compatible endpoint, all that stands before "
            f"/chat/completions; its key comes from {TEACHER_KEY}."
        ),
    ] = None,
    teacher_model: Annotated[str | None, typer.Option(help="The LLM's name there.")] = None,
    out: Annotated[Path | None, typer.Option(help="Also write the report here.")] = None,
    html: Annotated[Path | None, typer.Option(help="Also write it as a page to read.")] = None,
    benchmark: Annotated[
        str | None, typer.Option(help="Score on a public benchmark (bfcl) instead of rows.")
    ] = None,
    bfcl_data: Annotated[
        Path | None, typer.Option(help="BFCL's data folder; else the installed package's.")
    ] = None,
    categories: Annotated[str, typer.Option(help="Its categories, commas between.")] = "",
    limit: Annotated[int | None, typer.Option(help="Cases of each category.")] = None,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Only tools that `dataset import` left out.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Grade an adapter, and its base model, on rows or on a benchmark.

    Until the report is written, the answers of the models that run here are kept beside its file,
    and the same command goes on where a killed one was.
    """
    if benchmark is not None:
        asked = Asked(Path(adapter) if adapter else None, with_base)
        taken = Taken(bfcl_data, categories, limit, held_out)
        run_benchmark(benchmark, base_model, asked, taken, out=out, as_json=as_json)
        return
    if adapter is None or data is None:
        raise typer.BadParameter("give --adapter and --data, or --benchmark")
    if (teacher is None) != (teacher_model is None):
        raise typer.BadParameter("--teacher and --teacher-model go together")
    with errors("local", as_json):
        _require_folders(out, html)
        folder = Path(adapter)
        read = read_adapter(folder)
        llm = (teacher, teacher_model) if teacher and teacher_model else None
        kept = _kept(out or html)
        report = asyncio.run(_report(read, data, base_model, (with_base, base_rows), llm, kept))
    if as_json:
        print(json.dumps(report, ensure_ascii=False))
    else:
        Console().print(_table(report))
    with errors("local", as_json=False):  # stdout has its one document
        write_files(report, read.manifest.model_dump(mode="json"), out, html)
        if kept:
            kept.forget()


def write_files(
    report: Mapping[str, Any], manifest: Mapping[str, Any], out: Path | None, html: Path | None
) -> None:
    """Write the report as JSON and as a page, where a file is named. Raises OSError."""
    if out is not None:
        text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
        out.write_text(text, encoding="utf-8")
    if html is not None:
        from training.report_html import render

        html.write_text(render(report, manifest), encoding="utf-8")


async def _report(
    adapter: Adapter,
    data: Path,
    base_model: Path,
    base: tuple[bool, int | None],
    teacher: tuple[str, str] | None,
    kept: KeptAnswers | None,
) -> dict[str, Any]:
    from training.evaluate import Teacher
    from training.evaluate import evaluate as graded
    from training.rows import read_rows

    # Whatever can be refused is refused before the engine takes its time.
    rows = read_rows(data, adapter.toolset)
    asked = Teacher(*teacher, os.environ.get(TEACHER_KEY, "").strip()) if teacher else None
    from gateway.engines.local import LocalEngine

    engine = LocalEngine(base_model)
    async with asked or nullcontext():
        await engine.start()
        try:
            await engine.load(adapter.version, adapter.folder)
            return await graded(
                engine, adapter, rows, base_model=base[0], base_rows=base[1], teacher=asked,
                progress=progress, kept=kept,
            )  # fmt: skip
        finally:
            await engine.close()


def _kept(file: Path | None) -> KeptAnswers | None:
    return KeptAnswers(file.with_name(f".{file.name}.answers")) if file else None


def _require_folders(*files: Path | None) -> None:
    """Grading takes long; a report that cannot be written is told before."""
    for file in files:
        if file is not None and (file.is_dir() or not file.parent.is_dir()):
            raise ValueError(f"{file}: no file can be written there")


def _table(report: dict[str, Any]) -> Table:
    columns = {
        f"{system.replace('_', ' ')}, {mode.replace('_', ' ')}": report[system][mode]
        for system in ("base_model", "teacher", "adapter")
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
