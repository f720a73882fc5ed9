"""A version's files and probes as the proof that an engine asks for; `gateway.probe` judges the
answers.

Above stands the swap. An engine of several servers asks each for the proof, whenever it loads the
version there.
"""

from functools import partial

from gateway.adapters.store import require_unchanged
from gateway.engines.base import Engine, Proof
from gateway.errors import EngineDown, ProbeFailed
from gateway.manifest import Adapter
from gateway.probe import failed_probes
from gateway.router import Router


def proof_of(adapter: Adapter, *, everywhere: bool = True) -> Proof:
    """The folder as it came in, and then the manifest's probes, to be answered by an engine that
    has loaded the adapter."""

    async def prove(engine: Engine) -> None:
        failed = await failed_probes(Router(engine), adapter)
        if failed:
            where = ", ".join(status.url for status in engine.status)
            raise ProbeFailed(f"{failed[0]}" + (f" (replica {where})" if where else ""))

    return Proof(prove, everywhere, before=partial(require_unchanged, adapter))


async def require_proven(engine: Engine, version: str) -> None:
    """Raises EngineDown if no server has loaded a version and so none has proven it."""
    statuses = engine.status
    if statuses and not any(version in status.loaded for status in statuses):
        why = "; ".join(status.error or f"{status.url} is {status.state}" for status in statuses)
        raise EngineDown(f"no replica can answer: {why}")
