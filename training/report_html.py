"""A report as a page for a person: one HTML file with its figures, that loads nothing.

`training.evaluate` makes the report, `training.report_svg` the figures; the page's words and
colours stand in `report.html.j2`, and here is what the two need of each other. Requests and
answers are other people's texts: everything is escaped, and the page's own policy forbids it to
run a script or to fetch. A report without the newer members (an older one) gives a shorter page.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from training import report_svg

_SYSTEMS = {"base_model": "base model", "teacher": "teacher", "adapter": "adapter"}
_MODES = {
    "free": "free",
    "constrained": "constrained",
    "constrained_ungrounded": "constrained, not grounded",
    "at_threshold": "at threshold",
}
_TESTS = {
    "mcnemar_free": ("base model, free", "adapter, free"),
    "mcnemar_constrained": ("base model, constrained", "adapter, constrained"),
    "mcnemar_teacher": ("teacher, free", "adapter, constrained"),
}
_GROUPS = {"per_tool": "tool", "per_kind": "kind", "per_voice": "voice"}
_OUTCOMES = 2
"""Lines of the confusion matrix that are no tools: no_tool and several."""
_PROVENANCE = (
    "name", "created", "base_model", "prompt", "toolset", "toolset_fingerprint", "toolset_mode",
    "calibration", "data", "settings", "environment",
)  # fmt: skip


def render(report: Mapping[str, Any], manifest: Mapping[str, Any] | None = None) -> str:
    """The page of a report; `manifest` (that of the adapter) adds settings and provenance.

    Raises:
        KeyError: the report lacks a member that every report has (DESIGN 5.7).
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=_percent, interval=_interval, call=_call, p_value=_p_value)
    made, withheld = _silent(report["wrong_calls"])
    return environment.get_template("report.html.j2").render(
        report=report,
        columns=_by_column(report),
        comparisons=[(*names, report[key]) for key, names in _TESTS.items() if key in report],
        groups=[(name, report[key]) for key, name in _GROUPS.items()],
        figures=_figures(report),
        confusion=_confusion(report["confusion"]) if "confusion" in report else None,
        failing=_failing(report.get("arguments", {})),
        made=made,
        withheld=withheld,
        costs=_by_column(report.get("cost", {})),
        provenance=list(_flat({k: manifest[k] for k in _PROVENANCE if k in manifest}))
        if manifest
        else [],
    )


def _by_column(table: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """(label, value) of `{system: {mode: value}}`, in the order in which columns are read."""
    return [
        (f"{name}, {decoding}", table[system][mode])
        for system, name in _SYSTEMS.items()
        for mode, decoding in _MODES.items()
        if mode in table.get(system, {})
    ]


def _figures(report: Mapping[str, Any]) -> dict[str, Markup]:
    drawn = {
        key: report_svg.bars(f"bars-{name}", f"Exact answers by {name}", report[key])
        for key, name in _GROUPS.items()
    }
    if "risk_coverage" in report:
        drawn["risk"] = report_svg.risk_coverage(
            report["risk_coverage"]["points"], report["adapter"]["at_threshold"],
            report["threshold"],
        )  # fmt: skip
    if "reliability" in report:
        found = report["reliability"]
        drawn["reliability"] = report_svg.reliability(
            found["bins"], found["expected_calibration_error"]
        )
    return drawn


def _confusion(matrix: Mapping[str, Any]) -> dict[str, Any]:
    """The matrix without the lines and columns where nothing stands, and where right ones are."""
    wanted, called, counts = matrix["wanted"], matrix["called"], matrix["counts"]
    tools = len(wanted) - _OUTCOMES
    shown = [j for j in range(len(called)) if any(line[j] for line in counts)]
    return {
        "called": [called[j] for j in shown],
        "lines": [
            {
                "name": wanted[i],
                "rows": sum(line),
                "cells": [
                    {
                        "count": line[j],
                        "share": round(line[j] / sum(line), 3),
                        "same": i == j if i < tools else j >= tools and wanted[i] == called[j],
                    }
                    for j in shown
                ],
            }
            for i, line in enumerate(counts)
            if sum(line)
        ],
        "empty": [wanted[i] for i, line in enumerate(counts[:tools]) if not sum(line)],
    }


def _failing(arguments: Mapping[str, Mapping[str, int]]) -> list[dict[str, Any]]:
    """Arguments with a fault, those that fail most often first."""
    found = [
        {"name": name, "faults": count["missing"] + count["invented"] + count["wrong"], **count}
        for name, count in arguments.items()
    ]
    return sorted((item for item in found if item["faults"]), key=lambda item: -item["faults"])


def _silent(
    wrong_calls: Sequence[Mapping[str, Any]],
) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Silent failures that the threshold lets through, and those it withholds; surest first."""
    ranked = sorted(wrong_calls, key=lambda item: -item["confidence"])
    made = [item for item in ranked if not item["withheld_at_threshold"]]
    return made, [item for item in ranked if item["withheld_at_threshold"]]


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _interval(share: Mapping[str, Any]) -> str:
    """A share's 95 % interval and its counts."""
    if share["value"] is None:
        return "no rows"
    low, high = share["ci95"]
    return f"{100 * low:.0f}–{100 * high:.0f} %, {share['k']} of {share['n']}"


def _p_value(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _call(target: Mapping[str, Any]) -> str:
    """A call, several calls or no_tool, a line each, as one would write a call down."""
    if "calls" in target:
        return "\n".join(_call(call) for call in target["calls"])
    if target.get("tool") == "no_tool":
        return f"no tool: {target.get('reason') or 'no reason given'}"
    arguments = ", ".join(
        f"{name}: {json.dumps(value, ensure_ascii=False)}"
        for name, value in target["arguments"].items()
    )
    return f"{target['tool']}({arguments})"


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Dotted names and values of an object's leaves."""
    for name, item in value.items():
        if isinstance(item, dict) and item:
            yield from _flat(cast(dict[str, Any], item), f"{prefix}{name}.")
        else:
            text = item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)
            yield f"{prefix}{name}", text
