"""What a command leaves behind: one JSON document or a table on stdout, errors on stderr, a code.

A verb runs its body within `reporting` and ends by returning, by `typer.Exit`, or by an error
that is told here in one line. With `--json` the error's problem document is the one on stdout.
"""

import json
import sys
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from gateway.errors import ConfigurationError, PointsmanError

FAILED, CANNOT_TELL = 1, 2
_PIPE_COLUMNS = 200

DEFAULT_BASE_MODEL = Path(".models/smollm2-135m-instruct")
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


class CommandFailed(Exception):
    """A command that ends without its work done; the message says what to do about it."""

    def __init__(
        self,
        detail: str,
        exit_code: int = FAILED,
        *,
        code: str = "failed",
        problem: Mapping[str, Any] | None = None,
    ) -> None:
        """`problem` is the gateway's own document, where it sent one."""
        super().__init__(detail)
        self.exit_code = exit_code
        self.problem = dict(problem or {"code": code, "detail": detail})


@contextmanager
def reporting(as_json: bool) -> Generator[None]:
    """Turn an error of the body into one line on stderr and the exit code."""
    try:
        yield
    except CommandFailed as exc:
        _end(str(exc), exc.exit_code, exc.problem if as_json else None)
    except PointsmanError as exc:
        title = HTTPStatus(exc.status).phrase
        document = {"title": title, "status": exc.status, "detail": str(exc), "code": exc.code}
        code = CANNOT_TELL if isinstance(exc, ConfigurationError) else FAILED
        _end(with_errors(str(exc), exc.extra), code, {**document, **exc.extra} if as_json else None)


def with_errors(detail: str, problem: Mapping[str, Any]) -> str:
    """A problem's detail with the argument errors it lists."""
    listed = problem.get("errors") or ()
    errors = [f"{error['pointer'] or '/'}: {error['message']}" for error in listed]
    return f"{detail}: {'; '.join(errors)}" if errors else detail


def print_json(value: Any) -> None:
    """The one document of `--json`, in ASCII so that no terminal or pipe can spoil it."""
    print(json.dumps(value, indent=2), flush=True)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """A table, or the line `empty` instead of one without rows."""
    table = Table(*columns, box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for row in rows:
        table.add_row(*(plain("" if cell is None else str(cell)) for cell in row))
    if not table.row_count:
        print_line(empty)
        return
    width = None if sys.stdout.isatty() else _PIPE_COLUMNS
    # Names and descriptions come from servers: they are text, never markup.
    Console(markup=False, highlight=False, emoji=False, width=width).print(table)


def print_line(text: str) -> None:
    """A line for people."""
    print(plain(text), flush=True)


def progress(label: str, done: int, total: int) -> None:
    """A counter on a terminal, a plain line every 20 rows elsewhere."""
    if sys.stderr.isatty():
        end = "\n" if done == total else "\r"
        print(f"{label}: {done} of {total} ", end=end, file=sys.stderr, flush=True)
    elif done % 20 == 0 or done == total:
        print(f"{label}: {done} of {total}", file=sys.stderr, flush=True)


def complain(text: str) -> None:
    """One line on stderr."""
    print(f"pointsman: {' '.join(plain(text).split())}", file=sys.stderr)


def plain(text: str) -> str:
    """The text without control characters: what a server wrote must not drive the terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)


def compact(value: Any, limit: int = 0) -> str:
    """JSON on one line, cut after `limit` characters if one is given."""
    text = json.dumps(value, ensure_ascii=False)
    return f"{text[: limit - 1]}…" if limit and len(text) > limit else text


def _end(detail: str, exit_code: int, document: Mapping[str, Any] | None) -> None:
    complain(detail)
    if document is not None:
        print_json(document)
    raise typer.Exit(exit_code)
