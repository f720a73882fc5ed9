"""What the benches of the MCP face stand up: the upstream and the gateway, each a process.

The gateway is started with the product's own command; validation, the call record (in a file) and
the metrics are on, as they are for users.
"""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.ports import free_port

ROOT = Path(__file__).parents[2]
LIMIT_S = 600
CONFIG = """
[[servers]]
name = "one"
url = "http://127.0.0.1:{port}/mcp/"
[[servers]]
name = "many"
url = "http://127.0.0.1:{port}/many/"
[records]
path = "records.sqlite"
"""


@dataclass(frozen=True, slots=True)
class Stand:
    """The ports, and the gateway's process."""

    upstream: int
    gateway: int
    gateway_pid: int

    @property
    def direct(self) -> str:
        """The echo server's own address."""
        return f"http://127.0.0.1:{self.upstream}/mcp/"

    @property
    def through(self) -> str:
        """The echo server's address in the gateway."""
        return f"http://127.0.0.1:{self.gateway}/mcp/one"


@contextlib.asynccontextmanager
async def stand(folder: Path, tools: int, more_config: str = "") -> AsyncGenerator[Stand]:
    """Both processes, up, and the upstream's tools listed; they end with the block."""
    upstream, gateway = free_port(), free_port()
    config = folder / "pointsman.toml"
    config.write_text(CONFIG.format(port=upstream) + more_config)
    pointsman = str(Path(sys.executable).parent / "pointsman")
    with contextlib.ExitStack() as stack:
        stack.enter_context(
            process(sys.executable, "-m", "tests.bench.echo", str(upstream), str(tools))
        )
        await until_open(upstream)
        started = stack.enter_context(
            process(pointsman, "serve", "--config", str(config), "--port", str(gateway))
        )
        await until_open(gateway)
        await _until_listed(gateway, tools + 1)
        yield Stand(upstream, gateway, started.pid)


@contextlib.contextmanager
def process(*command: str) -> Generator[subprocess.Popen[bytes]]:
    """A process that is asked to end after the block, and made to if it does not."""
    started = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        yield started
    finally:
        started.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            started.wait(30)
        started.kill()
        started.wait()


async def until_open(port: int) -> None:
    """Wait until somebody listens. Raises TimeoutError."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.1)


async def _until_listed(port: int, count: int) -> None:
    """The gateway lists its servers while it starts."""
    async with asyncio.timeout(LIMIT_S), httpx.AsyncClient() as client:
        while True:
            reply = await client.get(f"http://127.0.0.1:{port}/v1/tools")
            if len(reply.json()["tools"]) == count:
                return
            await asyncio.sleep(0.1)
