"""The whole check: splits and a toolset in, a report out; `check` refuses where there are errors.

    splits -> mask -> counts, targets, labels, duplicates, lengths -> report

`read_splits` alone touches files.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from gateway.heal.rows import SPLITS
from gateway.types import Toolset
from training.check.counts import figures, share_findings
from training.check.labels import contradictions
from training.check.leaks import duplicates
from training.check.lengths import Limit, cut_findings, token_lengths
from training.check.masks import Masked, masked
from training.check.report import CheckReport, Finding
from training.check.targets import offers, target_findings
from training.rows import Require, Row, RowError, read_rows, require_toolset

_LISTED = 5


class DatasetRefused(ValueError):
    """A data set with errors; the message lists the first, `report` has all of them."""

    def __init__(self, report: CheckReport) -> None:
        """The report that says why."""
        listed = [
            f"{error.rule}: {error.detail} ({', '.join(error.places[:_LISTED])})"
            for error in report.errors[:_LISTED]
        ]
        if len(report.errors) > _LISTED:
            listed.append(f"and {len(report.errors) - _LISTED} more")
        super().__init__("\n  ".join([f"the data has {len(report.errors)} errors:", *listed]))
        self.report = report


def read_splits(path: Path, toolset: Toolset) -> dict[str, list[Row]]:
    """The rows of a data set's folder by split, or of one file under its name.

    Raises:
        RowError: a row is broken, there is no split, or there are rows that belong to none.
    """
    if not path.is_dir():
        return {path.stem: read_rows(path, toolset)}
    strangers = [
        file
        for file in (*path.glob("*.jsonl"), *path.glob("*/*.jsonl"))
        if file.relative_to(path).parts[0] not in SPLITS
    ]
    if strangers:
        raise RowError(
            f"{min(strangers)}: belongs to none of the splits {', '.join(SPLITS)}; "
            "`dataset import` brings rows into one"
        )
    found = [name for name in SPLITS if (path / name).is_dir()]
    if not found:
        raise RowError(f"{path}: holds none of the folders {', '.join(SPLITS)}")
    return {name: read_rows(path / name, toolset) for name in found}


def inspect(
    splits: Mapping[str, Sequence[Row]],
    toolset: Toolset,
    *,
    limit: Limit | None = None,
    require: Require = require_toolset,
) -> CheckReport:
    """Everything that can be told of the rows; `limit` adds their token lengths.

    Raises:
        ValueError: there are no rows in a split.
    """
    empty = [name for name, rows in splits.items() if not rows]
    if empty or not splits:
        raise ValueError(f"no rows in {', '.join(empty) or 'the data set'}")
    made = {
        name: [masked(row, toolset, name, number) for number, row in enumerate(rows, 1)]
        for name, rows in splits.items()
    }
    counted = {name: figures(rows, toolset) for name, rows in made.items()}
    found = [*share_findings(counted), *_findings(made, toolset, require)]
    if limit is not None:
        for name, rows in made.items():
            counted[name]["tokens"], too_long = token_lengths(rows, toolset, limit)
            found += too_long
    return CheckReport.of(found, {"toolset": toolset.name, "splits": counted})


def check(
    splits: Mapping[str, Sequence[Row]],
    toolset: Toolset,
    *,
    limit: Limit | None = None,
    require: Require = require_toolset,
) -> CheckReport:
    """The report of rows that may be trained on: `inspect`, refusing errors.

    Raises:
        DatasetRefused: there are errors; its `report` has them.
        ValueError: there are no rows in a split.
    """
    report = inspect(splits, toolset, limit=limit, require=require)
    if report.errors:
        raise DatasetRefused(report)
    return report


def _findings(
    splits: Mapping[str, Sequence[Masked]], toolset: Toolset, require: Require
) -> Iterator[Finding]:
    everything = [item for rows in splits.values() for item in rows]
    for rows in splits.values():
        yield from offers(rows, toolset, require)
    for item in everything:
        yield from target_findings(item, toolset)
        yield from cut_findings(item)
    yield from contradictions(everything)
    yield from duplicates(everything)
