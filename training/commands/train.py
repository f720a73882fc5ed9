"""`pointsman train`: rows to a LoRA adapter."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.commands.output import DEFAULT_BASE_MODEL
from gateway.formats.base import FormatName
from gateway.manifest import ToolsetMode
from gateway.prompt import PromptForm
from training.commands.output import (
    AsJson,
    errors,
    print_result,
    read_toolset,
)
from training.settings import Settings, Targets

_DEFAULT = Settings()


def mount(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("train")(train)


def train(
    toolset: Annotated[Path, typer.Option(help="toolset.json of the tools to learn.")],
    data: Annotated[Path, typer.Option(help="Folder or file of training rows.")],
    validation: Annotated[Path, typer.Option(help="Folder or file of validation rows.")],
    out: Annotated[Path, typer.Option(help="Folder of the run; resumed if it exists.")],
    base_model: Annotated[Path, typer.Option()] = DEFAULT_BASE_MODEL,
    init_from: Annotated[
        Path | None, typer.Option(help="Adapter folder to go on from instead of a fresh one.")
    ] = None,
    toolset_mode: Annotated[
        ToolsetMode, typer.Option(help="varied: every row carries the tools it offers.")
    ] = _DEFAULT.toolset_mode,
    format: Annotated[
        FormatName, typer.Option(help="native: the base model's own form of tool calls.")
    ] = _DEFAULT.format,
    form: Annotated[PromptForm, typer.Option(help="How prompts show the toolset.")] = _DEFAULT.form,
    epochs: float = _DEFAULT.epochs,
    learning_rate: float = _DEFAULT.learning_rate,
    batch_size: Annotated[int, typer.Option(min=1)] = _DEFAULT.batch_size,
    rank: int = _DEFAULT.rank,
    alpha: int = _DEFAULT.alpha,
    target_modules: Targets = _DEFAULT.target_modules,
    max_length: Annotated[int, typer.Option(help="Tokens that a row may have.")] = (
        _DEFAULT.max_length
    ),
    refresh: Annotated[
        bool, typer.Option(help="Show fresh identifiers from a row's second pass on.")
    ] = _DEFAULT.refresh,
    seed: int = _DEFAULT.seed,
    as_json: AsJson = False,
) -> None:
    """Fine-tune a LoRA adapter on rows."""
    with errors("train", as_json):
        from training import sft
        from training.run import read_record

        settings = Settings(
            format=format, form=form, rank=rank, alpha=alpha, target_modules=target_modules,
            learning_rate=learning_rate, epochs=epochs, batch_size=batch_size,
            max_length=max_length, seed=seed, refresh=refresh, toolset_mode=toolset_mode,
        )  # fmt: skip
        sft.train(read_toolset(toolset), data, validation, base_model, out, settings, init_from)
        record = read_record(out)
    print_result(
        as_json, record, f"trained {out} in {record['seconds']} s on {record['rows']} rows"
    )
