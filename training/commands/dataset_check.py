"""`pointsman dataset check`: what is wrong with rows, before anything is trained on them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.commands.output import FAILED, print_json, print_line, print_table
from gateway.formats.base import FormatName
from gateway.manifest import ToolsetMode
from gateway.prompt import PromptForm
from training.check.dataset import inspect, read_splits
from training.check.lengths import Limit
from training.check.report import CheckReport, Finding
from training.commands.output import AsJson, errors, read_toolset
from training.rows import REQUIRE

_LISTED = 10
_PLACES = 6
_SHARES = ("no_tool", "several_turns", "several_calls")


def mount(app: typer.Typer) -> None:
    """Register the verb on `dataset`."""
    app.command("check")(check)


def check(
    data: Annotated[
        Path, typer.Argument(help="Folder with train, validation and test, or one file of rows.")
    ],
    toolset: Annotated[Path, typer.Option(help="toolset.json that the rows were made for.")],
    base_model: Annotated[
        Path | None, typer.Option(help="Count tokens with this base model's tokenizer.")
    ] = None,
    toolset_mode: Annotated[
        ToolsetMode, typer.Option(help="varied: every row carries the tools it offers.")
    ] = "exact",
    format: Annotated[
        FormatName, typer.Option(help="native: the base model's own form of tool calls.")
    ] = "json",
    form: Annotated[PromptForm, typer.Option(help="How prompts show the toolset.")] = "name",
    max_length: Annotated[int, typer.Option(min=1, help="Tokens that a row may have.")] = 512,
    as_json: AsJson = False,
) -> None:
    """Check rows: counts, duplicates, leaks, labels, values, lengths.

    Exits with 1 if there are errors; warnings are only shown.
    """
    with errors("train", as_json):
        wanted = read_toolset(toolset)
        splits = read_splits(data, wanted)
        limit = _limit(base_model, form, max_length, format) if base_model else None
        report = inspect(splits, wanted, limit=limit, require=REQUIRE[toolset_mode])
    if as_json:
        print_json(report.to_json())
    else:
        _print(report)
    if report.errors:
        raise typer.Exit(FAILED)


def _limit(base_model: Path, form: PromptForm, max_length: int, format: FormatName) -> Limit:
    # Anything but a folder would be looked for on a model hub.
    if not (base_model / "tokenizer_config.json").is_file():
        raise ValueError(f"{base_model}: no folder of a base model with its tokenizer")
    from transformers import AutoTokenizer

    return Limit(AutoTokenizer.from_pretrained(base_model), form, max_length, format)


def _print(report: CheckReport) -> None:
    splits: dict[str, dict[str, Any]] = report.figures["splits"]
    for title, rows in _tables(splits):
        print_line(f"\n{title}")
        print_table(["", *splits], rows, empty="none")
    for title, findings in (("errors", report.errors), ("warnings", report.warnings)):
        print_line(f"\n{len(findings)} {title}")
        _print_findings(findings)


def _tables(splits: dict[str, dict[str, Any]]) -> Iterator[tuple[str, Iterable[Sequence[Any]]]]:
    columns = list(splits.values())
    general = [[name, *(c[name] for c in columns)] for name in ("rows", "masked_forms")]
    general += [[name, *(_share(c[name]) for c in columns)] for name in _SHARES]
    yield f"{sum(column['rows'] for column in columns)} rows", general
    for title, key in (("calls by tool", "tools"), ("rows by kind", "kinds"),
                       ("rows by voice", "voices")):  # fmt: skip
        names = dict.fromkeys(name for column in columns for name in column[key])
        yield title, [[name, *(column[key].get(name, 0) for column in columns)] for name in names]
    names = sorted({name for column in columns for name in column["optional"]})
    stated = [[name, *(_stated(c["optional"].get(name)) for c in columns)] for name in names]
    yield "optional arguments, stated of all calls", stated
    if all("tokens" in column for column in columns):
        yield (
            "tokens (p50, p95, max, total)",
            [
                [part, *(_lengths(column["tokens"][part]) for column in columns)]
                for part in ("prompt", "answer", "all")
            ],
        )


def _share(value: dict[str, Any]) -> str:
    return f"{value['rows']} ({value['share']:.1%})"


def _stated(value: dict[str, int] | None) -> str:
    return f"{value['stated']} of {value['of']}" if value else "-"


def _lengths(value: dict[str, int]) -> str:
    return ", ".join(f"{value[name]:,}" for name in ("p50", "p95", "max", "total"))


def _print_findings(findings: Iterable[Finding]) -> None:
    by_rule: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        by_rule[finding.rule].append(finding)
    for rule, found in by_rule.items():
        print_line(f"\n{rule}: {len(found)}")
        print_table(
            ["places", "what"],
            [["\n".join(_places(item)), item.detail] for item in found[:_LISTED]],
            empty="none",
        )
        if len(found) > _LISTED:
            print_line(f"and {len(found) - _LISTED} more, all in --json")


def _places(finding: Finding) -> list[str]:
    more = len(finding.places) - _PLACES
    return [*finding.places[:_PLACES], *([f"and {more} more"] if more > 0 else [])]
