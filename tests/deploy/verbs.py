"""Whether a command line in a file under `deploy/` is one that `pointsman` has."""

from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from gateway.cli import build


def unknown_options(arguments: Sequence[str]) -> list[str]:
    """The words of a command line, without its first, that name no verb and no option of it."""
    command: Any = typer.main.get_command(build([]))
    words = list(arguments)
    while isinstance(command, TyperGroup):
        found = command.commands.get(words[0])
        if found is None:
            return words[:1]
        command, words = found, words[1:]
    known = {name for parameter in command.params for name in parameter.opts}
    return [word for word in words if word.startswith("--") and word not in known]
