"""Probes: chosen where a recipe names none, and asked before anything is published.

A probe is one user turn, asked about the adapter's own toolset and graded without `accept`, so
rows with more to them cannot be one. How an answer to one is judged stands in `gateway.probe`,
for a gateway asks the same probes before it brings an adapter into service.
"""

from collections.abc import Sequence

from gateway.engines.base import Engine
from gateway.manifest import Adapter, Probe
from gateway.probe import failed_probes
from gateway.router import Router
from training.evaluation.answers import Answer
from training.publish import PublishRefused
from training.rows import Row

MOST = 4


def chosen(found: Sequence[Answer], most: int = MOST) -> tuple[Probe, ...]:
    """Validation rows that were answered right: the surest of each kind, `most` in all.

    A kind is no_tool, which comes first, or the first tool called.
    """
    surest: dict[str, Answer] = {}
    for answer in sorted(found, key=_confidence, reverse=True):
        if _is_golden(answer.row) and answer.grade().exact:
            surest.setdefault(answer.row.calls[0].tool if answer.row.calls else "", answer)
    kinds = sorted(surest.values(), key=lambda answer: bool(answer.row.calls))
    return tuple(Probe(request=a.row.text, target=dict(a.row.target)) for a in kinds[:most])


async def refuse_failing(engine: Engine, adapter: Adapter) -> None:
    """Ask the probes of an adapter that the engine has loaded.

    Raises:
        PublishRefused: the adapter fails some of them; each is named with what it wants and what
            came.
        EngineDown, UnknownModel: the engine cannot complete a prompt.
    """
    failed = await failed_probes(Router(engine), adapter)
    if failed:
        count = len(adapter.manifest.probes)
        told = "; ".join(str(probe) for probe in failed)
        raise PublishRefused(f"{adapter.version} fails {len(failed)} of {count} probes: {told}")


def _is_golden(row: Row) -> bool:
    roles = [turn.role for turn in row.messages]
    return roles == ["user"] and row.offered is None and not row.accept


def _confidence(answer: Answer) -> float:
    return answer.route.confidence or 0.0
