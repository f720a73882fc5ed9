"""The embedded engine: transformers in this process, on a CPU or a CUDA device.

Several adapters are loaded at once and chosen per request. One thread does all the work, one prompt
at a time; what it does is `decoder.py`.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from gateway.engines.base import Completion, Prompt, Proof, ReplicaStatus
from gateway.engines.decoder import Decoder
from gateway.errors import EngineDown
from gateway.weights import weights_digest

_T = TypeVar("_T")


class LocalEngine:
    """Runs a base model folder in process."""

    def __init__(
        self,
        base_model: Path,
        *,
        device: str = "auto",
        threads: int | None = None,
        max_queue: int = 64,
    ) -> None:
        self._folder = base_model
        self._device = device
        self._threads = threads
        self._max_queue = max_queue
        self._waiting = 0
        self._worker = ThreadPoolExecutor(1, "local-engine")
        self._decoder: Decoder | None = None
        self._digest: str | None = None

    @property
    def status(self) -> Sequence[ReplicaStatus]:
        """Nothing: it runs here."""
        return ()

    async def start(self) -> None:
        """Load base model and tokenizer; raises EngineDown naming the folder if that fails."""
        if self._decoder is None:
            self._decoder = await self._run(
                lambda: Decoder(self._folder, self._device, self._threads)
            )

    async def close(self) -> None:
        """Finish the prompt in work and let the memory go."""
        self._worker.shutdown(wait=True, cancel_futures=True)
        self._decoder = None

    async def weights_digest(self) -> str | None:
        """The content digest of the base model's weights."""
        if self._digest is None:
            self._digest = await self._run(lambda: weights_digest(self._folder))
        return self._digest

    async def load(self, version: str, folder: Path, proof: Proof | None = None) -> None:
        """Load a PEFT adapter."""
        await self._run(lambda: self._ready.load(version, folder))
        if proof is not None:
            await proof(self)

    async def unload(self, version: str) -> None:
        """Delete an adapter's weights."""
        await self._run(lambda: self._ready.unload(version))

    async def complete(self, prompt: Prompt) -> Completion:
        """Complete a prompt; waits for those before it."""
        if self._waiting >= self._max_queue:
            raise EngineDown(f"{self._waiting} prompts wait for the engine already")
        self._waiting += 1
        try:
            return await self._run(lambda: self._ready.complete(prompt))
        finally:
            self._waiting -= 1

    @property
    def _ready(self) -> Decoder:
        if self._decoder is None:
            raise EngineDown("the engine is not started")
        return self._decoder

    async def _run(self, work: Callable[[], _T]) -> _T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._worker, work)
        except (OSError, RuntimeError, ValueError) as exc:
            # PointsmanErrors pass; what torch, transformers and the worker raise is ours to name.
            raise EngineDown(f"the engine failed: {exc}") from exc
