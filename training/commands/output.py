"""What all training verbs share: one line for an error, one document for `--json`, progress."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.commands.output import CommandFailed, reporting
from gateway.types import Toolset

TEACHER_KEY = "POINTSMAN_TEACHER_KEY"
"""The environment variable that holds the key of a teacher's endpoint."""
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


def read_toolset(path: Path) -> Toolset:
    """The toolset of a `toolset.json`. Raises OSError or ValueError."""
    return Toolset.from_json(json.loads(path.read_text(encoding="utf-8")))


@contextmanager
def errors(extra: str, as_json: bool) -> Generator[None]:
    """Turn an error of the body into one line on stderr and exit code 1, as the gateway's verbs do.

    `extra` is what to install when an import fails.
    """
    with reporting(as_json):
        try:
            yield
        except ImportError as exc:
            needed = f"pip install 'pointsman[{extra}]'"
            raise CommandFailed(f"{exc.name} is not installed: {needed}") from exc
        except (ValueError, OSError) as exc:
            raise CommandFailed(str(exc)) from exc


def print_result(as_json: bool, value: dict[str, Any], text: str) -> None:
    """One JSON document, or a line for a person."""
    print(json.dumps(value, ensure_ascii=False) if as_json else text)
