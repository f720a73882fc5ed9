"""The command line of a training script: paths by name, and one option for each of its settings.

A script's settings are a frozen dataclass whose defaults are the option's: `learning_rate` becomes
`--learning-rate`, a bool `--refresh` and `--no-refresh`, a `Literal` an option with these choices.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_S = TypeVar("_S", bound="DataclassInstance")


def read_options(
    description: str | None,
    required: Sequence[str],
    defaults: _S,
    *,
    optional: Sequence[str] = (),
    given: Sequence[str] | None = None,
) -> tuple[Mapping[str, Path], _S]:
    """The paths that were given, under their names with underscores, and the settings.

    `given` stands for the process's own arguments. What cannot be used ends the process with exit
    code 2 and a line that says why, as argparse does; so does what the settings refuse.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in (*required, *optional):
        parser.add_argument(f"--{name}", type=Path, required=name in required)
    names = [field.name for field in fields(defaults)]
    for field in fields(defaults):
        _add(parser, field.name, field.type, getattr(defaults, field.name))
    options = vars(parser.parse_args(given))
    try:
        settings = replace(defaults, **{name: options[name] for name in names})
    except ValueError as exc:
        parser.error(str(exc))
    paths = {name: path for name, path in options.items() if name not in names and path}
    return paths, settings


def _add(parser: argparse.ArgumentParser, name: str, kind: Any, default: Any) -> None:
    flag = f"--{name.replace('_', '-')}"
    if isinstance(default, bool):
        parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=default)
        return
    choices = get_args(kind) if get_origin(kind) is Literal else None
    parser.add_argument(flag, type=type(default), default=default, choices=choices)
