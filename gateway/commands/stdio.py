"""Runs a gateway for one client that started it, over stdin and stdout.

Nothing else may write to stdout. The first lists of the servers are waited for, as far as they
come soon, because many clients list once and never look again.
"""

import asyncio
import os
import signal
import sys

from gateway.app import build_parts, running
from gateway.config import Config
from gateway.engines.configured import make_engine
from gateway.faces.mcp import Address, serve_stdio
from gateway.faces.parts import Parts
from gateway.observe import configure_logging

_LISTS_S = 10.0


def serve_over_stdio(config: Config, address: Address) -> None:
    """Serve until stdin ends, or a signal.

    Raises:
        PointsmanError: the configuration cannot be used, or there is no such toolset.
    """
    configure_logging(config.log)
    parts = build_parts(config, make_engine(config.engine, config.limits.engine_queue))
    if not asyncio.run(_serve(parts, address)):
        sys.stdout.flush()
        # The SDK reads stdin in a thread, which nothing but the end of stdin would end.
        os._exit(0)


async def _serve(parts: Parts, address: Address) -> bool:
    """Whether stdin ended; False after a signal."""
    stopped = asyncio.Event()
    if sys.platform != "win32":
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with running(parts):
        first = (upstream.first_listing(_LISTS_S) for upstream in parts.watch.upstreams)
        await asyncio.gather(*first, return_exceptions=True)
        serving = asyncio.create_task(serve_stdio(parts, address))
        stopping = asyncio.create_task(stopped.wait())
        await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if serving.done():
            await serving
            return True
    return False
