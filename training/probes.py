"""Probes of an adapter whose recipe names none: validation rows that it answers right and surely.

A probe is one user turn, asked about the adapter's own toolset and graded without `accept`, so
other rows cannot be one.
"""

from collections.abc import Sequence

from gateway.manifest import Probe
from training.evaluation.answers import Answer
from training.rows import Row

MOST = 4


def chosen(found: Sequence[Answer], most: int = MOST) -> tuple[Probe, ...]:
    """The surest exact answer of each kind (no_tool, and the first tool called), `most` in all.

    no_tool comes first, then the surest.
    """
    surest: dict[str, Answer] = {}
    for answer in sorted(found, key=_confidence, reverse=True):
        if _is_golden(answer.row) and answer.grade().exact:
            surest.setdefault(answer.row.calls[0].tool if answer.row.calls else "", answer)
    kinds = sorted(surest.values(), key=lambda answer: bool(answer.row.calls))
    return tuple(Probe(request=a.row.text, target=dict(a.row.target)) for a in kinds[:most])


def _is_golden(row: Row) -> bool:
    roles = [turn.role for turn in row.messages]
    return roles == ["user"] and row.offered is None and not row.accept


def _confidence(answer: Answer) -> float:
    return answer.route.confidence or 0.0
