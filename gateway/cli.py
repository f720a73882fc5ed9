"""The `pointsman` command: the gateway's verbs, and those that other packages register.

An entry point of the group `pointsman.commands` is a callable `mount(app: typer.Typer) -> None`.
Exit codes: 0 done, 1 refused or failed, 2 bad usage or cannot tell; `route` and `drift` add their
own.
"""

import os
import sys
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points, version
from typing import Annotated

import typer

from gateway.commands import adapters, calls, doctor, drift, engine, requests, serve, servers, tools
from gateway.commands.output import FAILED, complain, print_line

TRAINING_VERBS = ("dataset", "train", "evaluate", "publish")


def main() -> None:
    """The entry point: whatever goes wrong ends in one line, never in a traceback."""
    try:
        build()()
    except Exception as exc:
        if os.environ.get("POINTSMAN_TRACEBACK"):
            raise
        what = f"{type(exc).__name__}: {exc}".rstrip(": ")
        complain(f"failed unexpectedly, {what}; POINTSMAN_TRACEBACK=1 shows where")
        sys.exit(FAILED)


def build(mounts: Iterable[EntryPoint] | None = None) -> typer.Typer:
    """The command with every verb; `mounts` replaces the installed entry points."""
    app = typer.Typer(
        name="pointsman",
        help="An MCP-native tool-call gateway with a small router model.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_options)
    for verbs in (serve, requests, drift, doctor):
        verbs.mount(app)
    app.add_typer(servers.app, name="servers")
    app.add_typer(adapters.app, name="adapters")
    app.add_typer(engine.app, name="engine")
    app.add_typer(calls.app, name="calls")
    app.add_typer(tools.app, name="tools")
    for entry in entry_points(group="pointsman.commands") if mounts is None else mounts:
        try:
            entry.load()(app)
        except ImportError as exc:
            if entry.name == "training":
                _stand_in(app, exc.name or str(exc))
            else:
                complain(f"the commands of {entry.name} are left out: {exc}")
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        print_line(version("pointsman"))
        raise typer.Exit


def _options(
    _: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and leave."
        ),
    ] = False,
) -> None:
    """Options of the command itself."""


def _stand_in(app: typer.Typer, missing: str) -> None:
    """Verbs of training that answer, whatever their arguments, what to install."""

    def answer(context: typer.Context) -> None:
        complain(
            f"`{context.info_name}` needs the training extra ({missing} is missing): "
            "pip install 'pointsman[train]'"
        )
        raise typer.Exit(FAILED)

    settings = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
    for verb in TRAINING_VERBS:
        app.command(verb, context_settings=settings, hidden=True)(answer)


if __name__ == "__main__":
    main()
