"""Probes: chosen where a recipe names none, and asked before anything is published.

A probe is one user turn, asked about the adapter's own toolset and graded without `accept`, so
rows with more to them cannot be one. How an answer to one is judged stands in `gateway.probe`,
for a gateway asks the same probes before it brings an adapter into service.
"""

from collections.abc import Sequence

from gateway.engines.base import Engine
from gateway.manifest import Adapter, Probe
from gateway.probe import failed_probe, failed_probes
from gateway.router import Router
from training.evaluation.answers import Answer
from training.publish import PublishRefused
from training.rows import Row

MOST = 4


def chosen(found: Sequence[Answer], most: int = MOST) -> tuple[Probe, ...]:
    """Validation rows that were answered right: the surest of each kind, `most` in all.

    Right is what passes as a probe: a wrong proposal is none, though it would be withheld. A kind
    is no_tool, which comes first, or the first tool called.
    """
    surest: dict[str, Probe] = {}
    for answer in sorted(found, key=_confidence, reverse=True):
        row = answer.row
        probe = Probe(request=row.text, target=dict(row.target))
        if _is_golden(row) and failed_probe(probe, answer.route) is None:
            surest.setdefault(row.calls[0].tool if row.calls else "", probe)
    return tuple(surest[kind] for kind in sorted(surest, key=bool)[:most])


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
