"""`pointsman train`: rows to a LoRA adapter."""

import json
from pathlib import Path
from typing import Annotated

import typer

from training.commands.output import (
    DEFAULT_BASE_MODEL,
    AsJson,
    errors,
    print_result,
    read_toolset,
)


def mount(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("train")(train)


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
    with errors("train"):
        from training import sft

        settings = sft.Settings(epochs=epochs, learning_rate=learning_rate, rank=rank, seed=seed)
        sft.train(read_toolset(toolset), data, validation, base_model, out, settings)
        record = json.loads((out / "settings.json").read_text())
    print_result(
        as_json, record, f"trained {out} in {record['seconds']} s on {record['rows']} rows"
    )
