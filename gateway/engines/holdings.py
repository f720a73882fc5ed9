"""What one vLLM server holds of the versions that are wanted.

A version counts as held once it is loaded, warmed and proven on this very server: until then it
gets no prompts of agents there. One that the server refuses, or answers its proof wrongly with, is
kept with the reason. Below stands the engine of the server, above its replica, which says when.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.engines.base import Completion, Proof
from gateway.engines.vllm import VllmEngine
from gateway.engines.vllm_server import ServerFailed
from gateway.engines.warm import warming_prompt
from gateway.errors import AdapterRefused, EngineDown, ProbeFailed, UnknownModel

_WARMING_S = 0.2
"""How long a version waits for its warming prompt, which goes on without it: under load a server
may take a second over it, and an activation does not wait that long for what only saves time."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A version to be held: its folder, and what shows that a server answers as it must with it."""

    folder: Path
    proof: Proof | None = None


class Holdings:
    """Loads and unloads until the server holds what is wanted. Not for concurrent use."""

    def __init__(self, engine: VllmEngine, wanted: Mapping[str, Wanted]) -> None:
        """`wanted` is changed by its owner at any time."""
        self._engine = engine
        self._wanted = wanted
        self._held: set[str] = set()
        self._dropped: set[str] = set()
        self._refused: dict[str, AdapterRefused] = {}
        self._told: dict[str, str] = {}
        self._warming: set[asyncio.Task[Completion]] = set()

    @property
    def held(self) -> frozenset[str]:
        """The versions that the server may be asked with."""
        return frozenset(self._held)

    @property
    def refused(self) -> Mapping[str, AdapterRefused]:
        """The wanted versions that it does not hold, with the reason."""
        return self._refused

    @property
    def worth_another_try(self) -> list[str]:
        """What was refused for a reason that may pass by itself, as a folder that was missing: a
        server's answers to a proof change only with the server."""
        return [v for v, why in self._refused.items() if not isinstance(why, ProbeFailed)]

    def note(self, changed: str) -> None:
        """Note a change of what is wanted, for a server that cannot be told now."""
        if changed not in self._wanted:
            self._dropped.add(changed)

    async def begin(self) -> None:
        """Begin with a server that was just started, of which nothing is known.

        Raises:
            EngineDown: it fails.
        """
        listed = self._engine.served.adapters if self._engine.served else {}
        # Only what was loaded from here: others may share the server and want something else.
        for version in self._dropped & listed.keys() - self._wanted.keys():
            await self._engine.unload(version)
        self._held.clear()
        await self.reconcile(*self._refused)

    async def reconcile(self, *again: str) -> None:
        """Hold what is wanted; of what was refused before, only `again` is tried again.

        Raises:
            EngineDown: the server fails.
        """
        tried = self._refused.keys() - set(again)
        while True:
            surplus = self._held - self._wanted.keys()
            missing = [v for v in self._wanted if v not in self._held and v not in tried]
            if not surplus and not missing:
                for version in self._refused.keys() - self._wanted.keys():
                    del self._refused[version]
                return
            tried.update(missing)
            for version in surplus:
                self._held.discard(version)
                await self._engine.unload(version)
            for version in missing:
                if wanted := self._wanted.get(version):
                    await self._hold(version, wanted)

    async def _hold(self, version: str, wanted: Wanted) -> None:
        try:
            if wanted.proof is not None and wanted.proof.before is not None:
                await wanted.proof.before()
            await self._engine.load(version, wanted.folder)
            await self._try_out(version, wanted)
        except AdapterRefused as exc:
            self._refused[version] = exc
            if self._told.get(version) != str(exc):
                self._told[version] = str(exc)
                logger.error("vLLM at %s refuses an adapter: %s", self._engine.url, exc)
        else:
            self._refused.pop(version, None)
            self._told.pop(version, None)
            self._held.add(version)

    async def _try_out(self, version: str, wanted: Wanted) -> None:
        """Warm a version that was just loaded, and have it proven; one that fails is unloaded."""
        try:
            await self._warm(version, wanted.folder)
            if wanted.proof is not None:
                await wanted.proof(self._engine)
        except ServerFailed as exc:
            if not exc.answers:
                raise
            await self._engine.look()  # an adapter must not take a server out that is well
            await self._engine.unload(version)
            raise AdapterRefused(f"{version}: vLLM loads it but fails with it: {exc}") from exc
        except ProbeFailed:
            await self._engine.unload(version)
            raise
        except (EngineDown, UnknownModel) as exc:
            await self._engine.unload(version)
            raise AdapterRefused(f"{version}: it cannot be proven now: {exc}") from exc

    async def _warm(self, version: str, folder: Path) -> None:
        prompt = await asyncio.to_thread(warming_prompt, version, folder)
        if prompt is None:
            return
        warming = asyncio.create_task(self._engine.complete(prompt), name=version)
        self._warming.add(warming)
        warming.add_done_callback(self._warmed)
        await asyncio.wait({warming}, timeout=_WARMING_S)
        if warming.done() and isinstance(failure := warming.exception(), ServerFailed):
            raise failure

    def _warmed(self, warming: asyncio.Task[Completion]) -> None:
        self._warming.discard(warming)
        if not warming.cancelled() and (failure := warming.exception()):
            version, url = warming.get_name(), self._engine.url
            logger.warning("vLLM at %s: adapter %s was not warmed: %s", url, version, failure)
