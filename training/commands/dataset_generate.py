"""`pointsman dataset generate`: a teacher writes rows for a toolset, and goes on after a kill."""

import asyncio
import json
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from gateway.commands.output import CANNOT_TELL, CommandFailed, progress
from training.commands.output import (
    TEACHER_KEY,
    AsJson,
    errors,
    print_result,
    read_toolset,
)
from training.generate.journal import REJECTED, ROWS
from training.generate.plan import MAX_ROWS, NO_TOOL_SHARE, make_plan
from training.generate.run import Progress, generate
from training.generate.summary import Prices, Summary
from training.generate.voices import VOICES, read_voices
from training.teacher import Teacher


def mount(app: typer.Typer) -> None:
    """Register the verb on `dataset`."""
    app.command("generate")(generate_)


def generate_(
    toolset: Annotated[Path, typer.Option(help="toolset.json to write rows for.")],
    teacher: Annotated[
        str, typer.Option(help="Base URL of an OpenAI-compatible API, such as https://host/v1.")
    ],
    model: Annotated[str, typer.Option(help="The teacher's model.")],
    out: Annotated[Path, typer.Option(help="Folder to fill, or to go on with.")],
    key_env: Annotated[
        str | None,
        typer.Option(help=f"Variable that holds the key (default: {TEACHER_KEY}, if set)."),
    ] = None,
    rows: Annotated[int, typer.Option(min=1, max=MAX_ROWS, help="Rows a task.")] = 10,
    no_tool_share: Annotated[
        float, typer.Option(min=0.0, max=0.99, help="Share of rows that want no tool.")
    ] = NO_TOOL_SHARE,
    seed: Annotated[int, typer.Option(help="Of the plan's order.")] = 7,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only the plan's first tasks, a sample of it.")
    ] = None,
    tools: Annotated[
        str | None, typer.Option(help="Rows for these tools alone, commas between.")
    ] = None,
    voices: Annotated[
        Path | None, typer.Option(help="Your own voices, a line `name: sentence` each.")
    ] = None,
    conventions: Annotated[
        Path | None, typer.Option(help="A text with rules of your own for the rows.")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Requests at once.")] = 4,
    attempts: Annotated[int, typer.Option(min=1, help="Tries a request.")] = 5,
    timeout_s: Annotated[float, typer.Option("--timeout", min=1.0, help="Seconds a try.")] = 300.0,
    body: Annotated[
        str, typer.Option(help='Members to add to each request, such as {"temperature": 1}.')
    ] = "{}",
    price_in: Annotated[
        float | None, typer.Option(min=0.0, help="Price of a million prompt tokens.")
    ] = None,
    price_out: Annotated[
        float | None, typer.Option(min=0.0, help="Price of a million completion tokens.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let a teacher write training rows, and keep those that pass the checks.

    Rows go to OUT/rows.jsonl, what was refused to OUT/rejected.jsonl with the reason, tasks and
    tokens to OUT/tasks.jsonl. The same command goes on where an earlier run ended; `dataset import
    OUT/rows.jsonl --from rows` brings the rows into a data set.
    """
    with errors("train", as_json):
        prices = _prices(price_in, price_out)
        asked = read_toolset(toolset)
        plan = make_plan(
            asked,
            read_voices(voices) if voices else VOICES,
            rows=rows,
            seed=seed,
            no_tool_share=no_tool_share,
            about=[name.strip() for name in tools.split(",")] if tools is not None else None,
        )
        rules = conventions.read_text(encoding="utf-8") if conventions else ""
        members = _members(body)

        async def run(shown: Progress) -> Summary:
            async with Teacher(
                teacher,
                model,
                _key(key_env),
                concurrency=concurrency,
                attempts=attempts,
                timeout_s=timeout_s,
                body=members,
            ) as asks:
                return await generate(
                    asked, plan, asks, out,
                    conventions=rules, limit=limit, prices=prices, progress=shown,
                )  # fmt: skip

        with _progress() as shown:
            summary = asyncio.run(run(shown))
        value = {"file": str(out / ROWS), **summary.as_dict()}
        if not summary.rows or summary.failed:
            raise CommandFailed(_lack(summary, out), problem={"code": "failed", **value})
    print_result(as_json, value, _text(summary, out))


def _key(variable: str | None) -> str:
    key = os.environ.get(variable or TEACHER_KEY, "").strip()
    if variable and not key:
        raise CommandFailed(f"--key-env: {variable} is not set", CANNOT_TELL)
    return key


def _members(body: str) -> dict[str, Any]:
    try:
        value: Any = json.loads(body)
    except ValueError as exc:
        raise CommandFailed(f"--body is no JSON: {exc}", CANNOT_TELL) from exc
    if not isinstance(value, dict):
        raise CommandFailed("--body takes a JSON object", CANNOT_TELL)
    return cast(dict[str, Any], value)


def _prices(prompt: float | None, completion: float | None) -> Prices | None:
    if prompt is None and completion is None:
        return None
    if prompt is None or completion is None:
        raise CommandFailed("--price-in and --price-out go together", CANNOT_TELL)
    return Prices(prompt, completion)


@contextmanager
def _progress() -> Generator[Progress]:
    """A bar on a terminal, plain lines elsewhere; both on stderr."""
    if not sys.stderr.isatty():
        yield lambda summary: progress("tasks", summary.done + summary.failed, summary.tasks)
        return
    columns = (TextColumn("tasks"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, TextColumn("{task.description}"), console=Console(stderr=True)) as bar:
        line = bar.add_task("", total=None)

        def shown(summary: Summary) -> None:
            done = summary.done + summary.failed
            bar.update(line, completed=done, total=summary.tasks, description=_counts(summary))

        yield shown


def _counts(summary: Summary) -> str:
    cost = "" if summary.cost is None else f", cost {summary.cost:.2f}"
    return f"{summary.rows} rows, {sum(summary.rejected.values())} refused{cost}"


def _text(summary: Summary, out: Path) -> str:
    reasons = ", ".join(f"{count} {code}" for code, count in summary.rejected.items())
    cost = "" if summary.cost is None else f", cost {summary.cost:.2f}"
    usage = summary.usage
    lines = [
        f"{out / ROWS}: {summary.rows} rows from {summary.done} of {summary.tasks} tasks, "
        f"{usage.prompt_tokens} + {usage.completion_tokens} tokens{cost}",
        f"{out / REJECTED}: {reasons}" if reasons else "",
    ]
    return "\n".join(line for line in lines if line)


def _lack(summary: Summary, out: Path) -> str:
    reasons = ", ".join(f"{count} {code}" for code, count in summary.rejected.items())
    what = (
        f"{summary.failed} of {summary.tasks} tasks got no rows and are asked again by the same "
        "command"
        if summary.failed
        else "no row passed the checks"
    )
    return f"{what}; {summary.rows} rows are kept, {out / REJECTED} says why ({reasons})"
