"""Where the answers go: by group, as a confusion matrix, and what each column costs. Pure.

The threshold is off throughout.
"""

import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from gateway.score import figures
from gateway.types import Toolset
from training.evaluation.answers import Answer

_GROUP_FIGURES = ("tool_name_accuracy", "argument_match_accuracy", "wrong_call_rate")
_WANTED = ("no_tool", "several")
_CALLED = ("no_tool", "abstained", "invalid", "several")

_Place = tuple[bool, str]
"""(whether it is a tool, its name): a tool may be called `several` too."""


def by_group(found: Sequence[Answer], key: Callable[[Answer], str]) -> dict[str, Any]:
    """Group -> `{value, k, n, ci95}` of `exact`, and in the same form the group's other figures.

    `tool_name_accuracy`, `argument_match_accuracy` and `wrong_call_rate` keep the denominators
    they have in the whole report.
    """
    groups: dict[str, list[Answer]] = defaultdict(list)
    for answer in found:
        groups[key(answer)].append(answer)
    counted = {
        name: figures([answer.grade() for answer in group])
        for name, group in sorted(groups.items())
    }
    return {
        name: {**figure["exact"], **{share: figure[share] for share in _GROUP_FIGURES}}
        for name, figure in counted.items()
    }


def tool_group(answer: Answer) -> str:
    """The group of a row by tool: that of its first wanted call, or no_tool."""
    return answer.row.calls[0].tool if answer.row.calls else "no_tool"


def confusion(found: Sequence[Answer], toolset: Toolset) -> dict[str, Any]:
    """`{wanted: [name], called: [name], counts: [[rows]]}`: a line a wanted, a column a called.

    Tools come first, in the toolset's order, also those without a row. Lines end with no_tool and
    several; columns with no_tool, abstained, invalid and several.
    """
    counts = Counter((_wanted(answer), _called(answer)) for answer in found)
    tools: list[_Place] = [(True, tool.name) for tool in toolset.tools]
    # Rows that carry their own tools may want one that the toolset does not have.
    seen = {place for pair in counts for place in pair if place[0]}
    tools += sorted(seen - set(tools))
    lines = [*tools, *((False, name) for name in _WANTED)]
    columns = [*tools, *((False, name) for name in _CALLED)]
    return {
        "wanted": [name for _, name in lines],
        "called": [name for _, name in columns],
        "counts": [[counts[line, column] for column in columns] for line in lines],
    }


def _wanted(answer: Answer) -> _Place:
    calls = answer.row.calls
    return _place([call.tool for call in calls]) if calls else (False, "no_tool")


def _called(answer: Answer) -> _Place:
    decision = answer.decision(0.0)
    if decision.outcome != "call":
        return False, decision.outcome
    return _place([call.tool for call in decision.calls])


def _place(tools: Sequence[str]) -> _Place:
    return (True, tools[0]) if len(tools) == 1 else (False, "several")


def latency(found: Sequence[Answer]) -> dict[str, float]:
    """Median and 95th percentile of the time for one answer, in milliseconds."""
    times = sorted(answer.seconds * 1000 for answer in found)
    return {
        "p50": round(statistics.median(times), 1),
        "p95": round(times[min(len(times) - 1, int(0.95 * len(times)))], 1),
    }


def cost(found: Sequence[Answer]) -> dict[str, Any]:
    """What an answer costs: `latency_ms`, and the mean tokens of prompt and completion."""
    return {
        "latency_ms": latency(found),
        "prompt_tokens": statistics.mean(a.route.usage.prompt_tokens for a in found),
        "completion_tokens": statistics.mean(a.route.usage.completion_tokens for a in found),
    }
