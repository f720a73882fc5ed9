"""`pointsman publish`: a run to a calibrated, graded adapter folder, or a refusal."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from gateway.commands.output import DEFAULT_BASE_MODEL, progress
from gateway.manifest import read_adapter
from training.commands.output import (
    AsJson,
    errors,
    print_result,
    read_toolset,
)


def mount(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("publish")(publish)


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
    against: Annotated[
        Path | None,
        typer.Option(help="Folder of the version in service; what --out holds by default."),
    ] = None,
    compare: Annotated[
        bool, typer.Option(help="Refuse an adapter that is worse than the version in service.")
    ] = True,
    served_only: Annotated[
        bool,
        typer.Option(
            "--served-only", help="Grade what is served; no free decoding, no base model."
        ),
    ] = False,
    base_rows: Annotated[
        int | None, typer.Option(min=1, help="Test rows that the base model answers; all else.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Calibrate, evaluate and write an adapter folder; refuse one that is not good enough.

    It may not answer fewer test rows exactly than the version in service, whose figures are those
    of its report, or made anew if its report is about other rows. A version for another base
    model or toolset is not compared with. A refused adapter leaves --out as it was. A run that
    learned another toolset, or on another base model, is refused first.
    """
    if against is not None and not compare:
        raise typer.BadParameter("give --against or --no-compare, not both")
    with errors("local", as_json):
        from training.recipe import Recipe, publish_run

        wanted = read_toolset(toolset)
        recipe = Recipe(
            name=name or wanted.name,
            toolset=wanted,
            validation=validation,
            test=test,
            base_model=base_model,
            base_model_name=base_model_name or base_model.name,
            minimum={"exact": min_exact},
            against=against,
            compare=compare,
            served_only=served_only,
            base_rows=base_rows,
        )
        report = asyncio.run(publish_run(recipe, run, out, progress))
        adapter = read_adapter(out)
    exact = report["adapter"]["constrained"]["exact"]
    before = report.get("compared_with")
    value = {
        "version": adapter.version, "folder": str(out), "exact": exact, "compared_with": before,
    }  # fmt: skip
    text = f"published {adapter.version}: exact {exact['value']} of {exact['n']}"
    if before is not None:
        text += f", where {before['version']} in service got {before['exact']['value']}"
    print_result(as_json, value, text)
