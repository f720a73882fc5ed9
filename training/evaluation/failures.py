"""What went wrong, one by one: wrong calls, missed calls, and the arguments that fail. Pure.

The threshold is off, so that each failure is the model's own; a wrong call says whether the
shipped threshold would have withheld it.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Literal, get_args

from gateway.score import FREE_TEXT, equal
from gateway.types import Call
from training.evaluation.answers import Answer

Fault = Literal["missing", "invented", "wrong"]
"""Wanted and not given; given and not wanted; given with another value."""


def faults(wanted: Call, called: Call, accept: Sequence[str] = ()) -> dict[str, Fault]:
    """Argument -> what is wrong with it, for two calls of one tool; empty if they match.

    Values compare as `gateway.score` compares them; a nested value counts as one argument.
    """
    free = FREE_TEXT | set(accept)
    found: dict[str, Fault] = {}
    for name in [*wanted.arguments, *(n for n in called.arguments if n not in wanted.arguments)]:
        if name not in called.arguments:
            found[name] = "missing"
        elif name not in wanted.arguments:
            found[name] = "invented"
        elif not equal(wanted.arguments[name], called.arguments[name], free, name):
            found[name] = "wrong"
    return found


def wrong_calls(found: Sequence[Answer], threshold: float) -> list[dict[str, Any]]:
    """The silent failures: valid and wrong."""
    return [
        {
            **_asked(answer),
            "called": [call.as_dict() for call in answer.decision(0.0).calls],
            "faults": _listed_faults(answer),
            "confidence": round(answer.route.confidence or 0.0, 4),
            "withheld_at_threshold": answer.decision(threshold).outcome != "call",
        }
        for answer in found
        if answer.grade().wrong
    ]


def missed(found: Sequence[Answer]) -> list[dict[str, Any]]:
    """Call rows that were not called, with what happened and why.

    `reason_code` is None where the model decided for no_tool; `proposal` is what was withheld.
    """
    return [
        _unicode(
            {
                **_asked(answer),
                "outcome": decision.outcome,
                "reason_code": decision.reason_code,
                "reason": decision.reason,
                "proposal": [call.as_dict() for call in decision.proposal or ()],
            }
        )
        for answer in found
        if answer.row.calls and (decision := answer.decision(0.0)).outcome != "call"
    ]


def arguments(found: Sequence[Answer]) -> dict[str, dict[str, int]]:
    """`tool.argument` -> `{n, missing, invented, wrong, withheld}`.

    Counted over the proposals with the right tool, `n` of which want or give the argument;
    `withheld` of the faults stood in a proposal that a check withheld, the others went through.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for answer in found:
        withheld = answer.decision(0.0).outcome != "call"
        for wanted, proposed in _pairs(answer):
            wrong = faults(wanted, proposed, answer.row.accept)
            for name in wanted.arguments.keys() | proposed.arguments.keys():
                counts[f"{wanted.tool}.{name}"]["n"] += 1
                if name in wrong:
                    counts[f"{wanted.tool}.{name}"][wrong[name]] += 1
                    counts[f"{wanted.tool}.{name}"]["withheld"] += withheld
    columns = ("n", *get_args(Fault), "withheld")
    return {
        name: {column: count[column] for column in columns}
        for name, count in sorted(counts.items())
    }


def _asked(answer: Answer) -> dict[str, Any]:
    row = answer.row
    return {
        "request": row.text,
        "kind": row.kind,
        "voice": row.voice,
        "wanted": dict(row.target),
    }


def _unicode(value: dict[str, Any]) -> dict[str, Any]:
    """The value with `?` for half surrogate pairs: what was withheld for one must still be told."""
    return json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


def _listed_faults(answer: Answer) -> list[dict[str, str]]:
    return [
        {"argument": f"{wanted.tool}.{name}", "fault": fault}
        for wanted, called in _pairs(answer)
        for name, fault in faults(wanted, called, answer.row.accept).items()
    ]


def _pairs(answer: Answer) -> Iterator[tuple[Call, Call]]:
    """Each wanted call with the proposed one of the same tool that is most like it."""
    wanted, proposed = answer.row.calls, answer.route.calls
    likeness = sorted(
        (len(faults(want, call, answer.row.accept)), i, j)
        for i, want in enumerate(wanted)
        for j, call in enumerate(proposed)
        if want.tool == call.tool
    )
    paired: dict[int, int] = {}
    for _, i, j in likeness:
        if i not in paired and j not in paired.values():
            paired[i] = j
    for i, j in sorted(paired.items()):
        yield wanted[i], proposed[j]
