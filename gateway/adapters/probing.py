"""A version's probes, asked of every replica of an engine: what one answers, all must.

Above stands the swap; the judgement of an answer is that of `gateway.probe`.
"""

import asyncio

from gateway.engines.base import Engine
from gateway.errors import AdapterRefused
from gateway.manifest import Adapter
from gateway.probe import failed_probes
from gateway.router import Router


async def probe_replicas(engine: Engine, adapter: Adapter) -> None:
    """Run the manifest's probes through each replica, all replicas at the same time.

    Raises:
        AdapterRefused: a replica answers one wrongly; the message says which, and which replica.
        EngineDown, UnknownModel: a replica cannot answer.
    """
    probes = (_probe(replica, adapter) for replica in engine.replicas)
    for found in await asyncio.gather(*probes, return_exceptions=True):
        if found is not None:
            raise found


async def _probe(replica: Engine, adapter: Adapter) -> None:
    failed = await failed_probes(Router(replica), adapter)
    if failed:
        where = ", ".join(status.url for status in replica.status)
        raise AdapterRefused(f"{failed[0]}" + (f" (replica {where})" if where else ""))
