"""Several vLLM doubles behind one `Replicas`."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway.engines.base import Prompt
from gateway.engines.replica import Pace
from gateway.engines.replicas import Replicas
from gateway.engines.vllm_server import Patience
from tests.adapters import write_adapter
from tests.gateway.engines.vllm_double import VllmDouble

COMPLETIONS, LOAD = "/v1/completions", "/v1/load_lora_adapter"
CALM = Pace(start=60.0, look=3600.0, first_pause=0.001, longest_pause=0.01)
"""Nothing but a failed prompt makes a replica's task look at its server."""
WATCHFUL = Pace(start=60.0, look=0.005, first_pause=0.001, longest_pause=0.01)
_PATIENT = Patience(connect=60.0, load=60.0, answer=60.0, look=0.0)


class Fleet:
    """The doubles, what runs over them, and an adapter's folder for each version."""

    def __init__(self, replicas: Replicas, doubles: tuple[VllmDouble, ...], store: Path) -> None:
        self.replicas = replicas
        self.doubles = doubles
        self._store = store

    async def load(self, *versions: str) -> None:
        for version in versions:
            await self.replicas.load(version, self.folder_of(version))

    def folder_of(self, version: str) -> Path:
        folder = self._store / version
        return folder if folder.exists() else write_adapter(folder)

    async def ask(self, version: str | None = "support@1", text: str = "hi") -> str:
        messages = ({"role": "user", "content": text},)
        return (await self.replicas.complete(Prompt(messages, version, None, 512, 8))).text

    def asks(self, count: int, version: str = "support@1") -> list["asyncio.Task[str]"]:
        return [asyncio.create_task(self.ask(version)) for _ in range(count)]

    @property
    def states(self) -> list[str]:
        return [each.state for each in self.replicas.status]

    async def until_ready(self, *places: int) -> None:
        await until(lambda: all(self.states[place] == "ready" for place in places))


def asked_of(double: VllmDouble, version: str = "support@1") -> int:
    """How many prompts of agents a double was asked with a version (a warming one has a system
    message, which makes it longer)."""
    bodies = double.bodies(COMPLETIONS)
    return sum(body["model"] == version and body["max_tokens"] == 8 for body in bodies)


async def until(condition: Callable[[], Any]) -> None:
    """Wait until something has come about."""
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.001)


@asynccontextmanager
async def fleet(
    folder: Path,
    *doubles: VllmDouble,
    pace: Pace = CALM,
    load: tuple[str, ...] = ("support@1",),
    ready: bool = True,
    **options: Any,
) -> AsyncGenerator[Fleet]:
    """Started replicas, all of them ready unless told otherwise, with versions loaded."""
    engines = [double.engine(folder, **{"patience": _PATIENT, **options}) for double in doubles]
    replicas = Replicas(engines, pace)
    made = Fleet(replicas, doubles, folder.parent / "store")
    await replicas.start()
    try:
        if ready:
            await made.until_ready(*range(len(doubles)))
        await made.load(*load)
        for double in doubles:
            double.wants = double.url
        yield made
    finally:
        await replicas.close()
