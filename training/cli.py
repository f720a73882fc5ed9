"""The training verbs of the `pointsman` command: train, evaluate, publish.

Only light modules are imported here; a verb that needs torch imports it when it runs, so that the
command line of a gateway without the `train` extra still lists the verbs.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from gateway.errors import PointsmanError
from gateway.manifest import Adapter, read_adapter
from gateway.types import Toolset

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
DEFAULT_BASE_MODEL = Path(".models/smollm2-135m-instruct")
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


def mount(app: typer.Typer) -> None:
    """Register the verbs on the `pointsman` command."""
    app.command("train")(train)
    app.command("evaluate")(evaluate)
    app.command("publish")(publish)


def train(
    toolset: Annotated[Path, typer.Option(help="toolset.json of the tools to learn.")],
    data: Annotated[Path, typer.Option(help="Folder or file of training rows.")],
    validation: Annotated[Path, typer.Option(help="Folder or file of validation rows.")],
    out: Annotated[Path, typer.Option(help="Folder of the run; resumed if it exists.")],
    base_model: Annotated[Path, typer.Option()] = DEFAULT_BASE_MODEL,
    epochs: float = 2.0,
    learning_rate: float = 4e-4,
    rank: int = 16,
    seed: int = 7,
    as_json: AsJson = False,
) -> None:
    """Fine-tune a LoRA adapter on rows."""
    with _errors("train"):
        from training import sft

        settings = sft.Settings(epochs=epochs, learning_rate=learning_rate, rank=rank, seed=seed)
        sft.train(_toolset(toolset), data, validation, base_model, out, settings)
        record = json.loads((out / "settings.json").read_text())
    _print(as_json, record, f"trained {out} in {record['seconds']} s on {record['rows']} rows")


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
    with _errors("local"):
        report = asyncio.run(_report(Path(adapter), data, base_model, with_base))
    if out is not None:
        out.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    if as_json:
        print(json.dumps(report, ensure_ascii=False))
    else:
        Console().print(_table(report))


def publish(
    run: Annotated[Path, typer.Option(help="Folder of a run of `train`.")],
    out: Annotated[Path, typer.Option(help="Adapter folder to write.")],
    toolset: Annotated[Path, typer.Option(help="toolset.json it was trained on.")],
    validation: Annotated[Path, typer.Option(help="Rows to calibrate on.")],
    test: Annotated[Path, typer.Option(help="Unseen rows for the report.")],
    name: Annotated[
        str | None, typer.Option(help="Adapter name; the toolset's by default.")
    ] = None,
    base_model: Annotated[Path, typer.Option()] = DEFAULT_BASE_MODEL,
    base_model_name: Annotated[str | None, typer.Option()] = None,
    min_exact: Annotated[float, typer.Option(help="Refuse below this exact rate.")] = 0.8,
    as_json: AsJson = False,
) -> None:
    """Calibrate, evaluate and write an adapter folder; refuse one that is not good enough."""
    with _errors("local"):
        from training.recipe import Recipe, publish_run

        wanted = _toolset(toolset)
        recipe = Recipe(
            name=name or wanted.name,
            toolset=wanted,
            validation=validation,
            test=test,
            base_model=base_model,
            base_model_name=base_model_name or base_model.name,
            minimum={"exact": min_exact},
        )
        report = asyncio.run(publish_run(recipe, run, out, _progress))
        adapter = read_adapter(out)
    exact = report["adapter"]["constrained"]["exact"]
    value = {"version": adapter.version, "folder": str(out), "exact": exact}
    _print(as_json, value, f"published {adapter.version}: exact {exact['value']} of {exact['n']}")


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
        return await graded(engine, adapter, rows, base_model=with_base, progress=_progress)
    finally:
        await engine.close()


def _toolset(path: Path) -> Toolset:
    return Toolset.from_json(json.loads(path.read_text(encoding="utf-8")))


class _errors:
    """Turns the errors of a verb into one line on stderr and exit code 1."""

    def __init__(self, extra: str) -> None:
        self._extra = extra

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, exc: BaseException | None, trace: Any) -> None:
        if isinstance(exc, ImportError):
            _fail(f"{exc.name} is not installed: pip install 'pointsman[{self._extra}]'")
        if isinstance(exc, PointsmanError | ValueError | OSError):
            _fail(str(exc))


def _fail(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)
    raise typer.Exit(1)


def _print(as_json: bool, value: dict[str, Any], text: str) -> None:
    print(json.dumps(value, ensure_ascii=False) if as_json else text)


def _progress(label: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        end = "\n" if done == total else "\r"
        print(f"{label}: {done} of {total} ", end=end, file=sys.stderr, flush=True)
    elif done % 20 == 0 or done == total:
        print(f"{label}: {done} of {total}", file=sys.stderr, flush=True)


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
