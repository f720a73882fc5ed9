"""Figures of a data set, split by split, and the shares that a training split should have.

A split's figures: `rows`, `masked_forms`, `tools` (calls by tool), `optional` (by `tool.argument`:
`stated` of `of` calls), `kinds`, `voices`, and `no_tool`, `several_turns`, `several_calls`, each
`{rows, share}` with a share of all rows between 0 and 1.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gateway.types import Toolset
from training.check.arguments import optional
from training.check.masks import Masked
from training.check.report import Finding

TRAIN = "train"
NO_TOOL_SHARE = (0.10, 0.20)
"""Too few, and everything is called; too many, and calls are missed."""
MIN_SEVERAL_TURNS = 0.10


def figures(rows: Sequence[Masked], toolset: Toolset) -> dict[str, Any]:
    """The figures of one split."""
    calls = [(call, item.row.offered or toolset) for item in rows for call in item.row.calls]
    stated: Counter[str] = Counter()
    possible: Counter[str] = Counter()
    for call, offered in calls:
        for name in optional(offered.by_name[call.tool]):
            possible[f"{call.tool}.{name}"] += 1
            stated[f"{call.tool}.{name}"] += name in call.arguments
    return {
        "rows": len(rows),
        "masked_forms": len({item.form for item in rows}),
        "tools": _sorted(Counter(call.tool for call, _ in calls)),
        "optional": {
            name: {"stated": stated[name], "of": count} for name, count in sorted(possible.items())
        },
        "kinds": _sorted(Counter(item.row.kind for item in rows)),
        "voices": _sorted(Counter(item.row.voice for item in rows)),
        "no_tool": _share(sum(not item.row.calls for item in rows), len(rows)),
        "several_turns": _share(sum(_turns(item) > 1 for item in rows), len(rows)),
        "several_calls": _share(sum(len(item.row.calls) > 1 for item in rows), len(rows)),
    }


def share_findings(splits: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    """Warnings about the shares of the training split; none without one."""
    if TRAIN not in splits:
        return
    no_tool, turns = (splits[TRAIN][name]["share"] for name in ("no_tool", "several_turns"))
    low, high = NO_TOOL_SHARE
    if not low <= no_tool <= high:
        detail = f"{no_tool:.1%} of {TRAIN} want no tool; {low:.0%} to {high:.0%} do well"
        yield Finding("warning", "no_tool_share", detail)
    if turns < MIN_SEVERAL_TURNS:
        detail = f"{turns:.1%} of {TRAIN} have several turns; {MIN_SEVERAL_TURNS:.0%} should"
        yield Finding("warning", "several_turns_share", detail)


def _turns(item: Masked) -> int:
    return sum(turn.role == "user" for turn in item.row.messages)


def _share(count: int, of: int) -> dict[str, Any]:
    return {"rows": count, "share": round(count / of, 4) if of else 0.0}


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
