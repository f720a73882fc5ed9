"""The servers of a configuration, connected to for as long as a command looks at them."""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from gateway.config import Config
from gateway.toolsets.watch import Watch


@asynccontextmanager
async def watching(config: Config) -> AsyncGenerator[Watch]:
    """Connect to every server. Nothing is logged within: what would be is the command's result."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        watch = Watch(config.servers, config.toolsets)
        watch.start()
        try:
            yield watch
        finally:
            await watch.close()
    finally:
        logging.disable(before)
