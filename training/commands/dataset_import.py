"""`pointsman dataset import`: rows from other people's files, through the gate of our own."""

from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.commands.output import CANNOT_TELL, CommandFailed
from training.commands.output import AsJson, errors, print_result, read_toolset
from training.imports.gate import Gated, Imported, Reader, Refused, gate, write

_LISTED = 5


class Source(StrEnum):
    """The forms that are read, one module of `training.imports` each."""

    rows = "rows"
    chat = "chat"
    kiln = "kiln"
    bfcl = "bfcl"
    record = "record"


class Split(StrEnum):
    """What rows are for; a folder of the data set each."""

    train = "train"
    validation = "validation"
    test = "test"


def mount(app: typer.Typer) -> None:
    """Register the verb on `dataset`."""
    app.command("import")(import_)


def import_(
    path: Annotated[
        str, typer.Argument(help="File or folder; for `record` a records file, or a gateway's URL.")
    ],
    source: Annotated[Source, typer.Option("--from", help="The form of what is read.")],
    toolset: Annotated[
        Path, typer.Option(help="toolset.json: what was on offer where the source names no tools.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the data set.")],
    split: Annotated[Split, typer.Option(help="Its part that the rows go to.")] = Split.train,
    name: Annotated[
        str | None, typer.Option(help="Name of the rows' file and voice (default: PATH's).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Bring rows of a teacher, or calls that were made elsewhere, into a data set as checked rows.

    They go to OUT/SPLIT/NAME.jsonl, what is refused to OUT/refused/SPLIT/NAME.jsonl with its place
    and the reason.
    """
    with errors("train", as_json):
        voice = name or _name(source, path)
        if not voice or Path(voice).name != voice:
            raise CommandFailed(f"--name {voice!r} is no name of a file", CANNOT_TELL)
        gated = gate(_found(source, path), read_toolset(toolset), voice)
        if not gated.rows and not gated.refused:
            raise CommandFailed(f"{path}: nothing to import")
        file, aside = write(gated, out, split, voice)
        if not gated.rows:
            raise CommandFailed(
                f"none of {len(gated.refused)} passed; {aside} says why, first: "
                f"{_told(gated.refused[0])}"
            )
    value = _counts(gated)
    print_result(as_json, {"file": str(file), **value}, _text(file, aside, gated, value))


def _found(source: Source, path: str) -> Iterator[Imported | Refused]:
    if source is Source.record and _is_url(path):
        from training.imports.record import read_gateway

        return read_gateway(path)
    # A form's reader is imported when it is asked for: the chat form's brings a web framework.
    read: Reader = import_module(f"training.imports.{source}").read
    return read(Path(path))


def _name(source: Source, path: str) -> str:
    return source.value if _is_url(path) else Path(path).resolve().stem


def _is_url(path: str) -> bool:
    return path.startswith(("http://", "https://"))


def _counts(gated: Gated) -> dict[str, Any]:
    return {
        "rows": len(gated.rows),
        "kinds": dict(Counter(row.kind for row in gated.rows)),
        "own_tools": sum(row.offered is not None for row in gated.rows),
        "refused": len(gated.refused),
    }


def _text(file: Path, aside: Path, gated: Gated, value: dict[str, Any]) -> str:
    kinds = ", ".join(f"{count} {kind}" for kind, count in value["kinds"].items())
    lines = [f"{file}: {value['rows']} rows ({kinds}), {value['own_tools']} with their own tools"]
    if gated.refused:
        lines.append(f"{aside}: {value['refused']} refused")
        lines += [f"  {_told(item)}" for item in gated.refused[:_LISTED]]
    return "\n".join(lines)


def _told(item: Refused) -> str:
    return f"{item.place}: {item.reason}"
