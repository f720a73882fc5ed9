"""`pointsman dataset ...`: from a live toolset to checked rows."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from gateway.commands.client import DEFAULT_URL, Gateway, Url
from training import snapshot as snapshots
from training.commands import dataset_check, dataset_generate, dataset_import
from training.commands.output import AsJson, errors, print_result

datasets = typer.Typer(no_args_is_help=True, help="Rows to train and to grade a router on.")
for verb in (dataset_generate, dataset_import, dataset_check):
    verb.mount(datasets)


def mount(app: typer.Typer) -> None:
    """Register the verbs."""
    app.add_typer(datasets, name="dataset")


@datasets.command()
def snapshot(
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("toolset.json"),
    toolset: Annotated[str | None, typer.Option(help="A toolset of the gateway.")] = None,
    server: Annotated[list[str] | None, typer.Option(help="A server; repeatable.")] = None,
    tools: Annotated[str, typer.Option(help="Only these tools, with commas between.")] = "",
    name: Annotated[str | None, typer.Option(help="The name to give the toolset.")] = None,
    config: Annotated[
        Path | None, typer.Option(help="Ask this configuration's servers, without a gateway.")
    ] = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Write the live toolset, with its fingerprints, into a toolset.json."""
    with errors("train", as_json):
        listed = (
            asyncio.run(snapshots.list_live(config)) if config else Gateway(url).get("/v1/tools")
        )
        wanted = [name.strip() for name in tools.split(",") if name.strip()]
        taken = snapshots.select(
            listed, toolset=toolset, servers=server or (), tools=wanted, name=name
        )
        out.write_text(json.dumps(taken.to_json(), indent=1, ensure_ascii=False) + "\n")
    value = {"file": str(out), "toolset": taken.name, "fingerprint": taken.fingerprint}
    print_result(
        as_json,
        {**value, "tools": list(taken.by_name)},
        f"{out}: toolset {taken.name}, {len(taken.tools)} tools, fingerprint {taken.fingerprint}",
    )
