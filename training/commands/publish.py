"""`pointsman publish`: a run to a calibrated, graded adapter folder, or a refusal."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from gateway.manifest import read_adapter
from training.commands.output import (
    DEFAULT_BASE_MODEL,
    AsJson,
    errors,
    print_result,
    progress,
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
    as_json: AsJson = False,
) -> None:
    """Calibrate, evaluate and write an adapter folder; refuse one that is not good enough."""
    with errors("local"):
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
        )
        report = asyncio.run(publish_run(recipe, run, out, progress))
        adapter = read_adapter(out)
    exact = report["adapter"]["constrained"]["exact"]
    value = {"version": adapter.version, "folder": str(out), "exact": exact}
    print_result(
        as_json, value, f"published {adapter.version}: exact {exact['value']} of {exact['n']}"
    )
