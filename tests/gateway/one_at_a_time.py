"""An engine with room for one prompt, each finished when its test says so."""

import asyncio
from collections.abc import Callable, Mapping

from gateway.engines.base import Completion, Prompt
from gateway.engines.scripted import Answer, ScriptedEngine
from tests.gateway.toolsets.upstream_doubles import PATIENCE_S


class OneAtATime(ScriptedEngine):
    """`arrived` are the last messages of all prompts so far, in order, in work or waiting."""

    def __init__(self, answers: Mapping[str, Answer] | Callable[[Prompt], Answer]) -> None:
        super().__init__(answers)
        self.arrived: list[str] = []
        self._news: asyncio.Queue[str] = asyncio.Queue()
        self._room = asyncio.Lock()
        self._finish = asyncio.Semaphore(0)

    async def complete(self, prompt: Prompt) -> Completion:
        text = prompt.messages[-1]["content"]
        self.arrived.append(text)
        self._news.put_nowait(text)
        async with self._room:
            await self._finish.acquire()
            return await super().complete(prompt)

    async def next(self) -> str:
        """Wait for the next prompt to arrive."""
        return await asyncio.wait_for(self._news.get(), PATIENCE_S)

    def finish(self, prompts: int = 1) -> None:
        """Let so many prompts be completed."""
        for _ in range(prompts):
            self._finish.release()
