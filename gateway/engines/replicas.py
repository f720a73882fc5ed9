"""One or many vLLM servers as one engine: what is wanted, and which server answers.

The wanted state is version -> folder and proof. It is kept here and brought about by a task per
server (`replica.py`): a replica gets prompts only while it holds what is wanted. Servers share
nothing.
"""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

from gateway.config import EngineConfig
from gateway.engines.base import Completion, Prompt, Proof, ReplicaStatus
from gateway.engines.holdings import Wanted
from gateway.engines.replica import Pace, Replica
from gateway.engines.vllm import VllmEngine
from gateway.engines.vllm_server import Patience, ServerFailed
from gateway.errors import AdapterRefused, EngineDown, UnknownModel

logger = logging.getLogger(__name__)


class Replicas:
    """Runs prompts on whichever of its servers has the fewest under way."""

    def __init__(self, engines: Sequence[VllmEngine], pace: Pace | None = None) -> None:
        """The engines belong to this one from now on; all must be for one base model."""
        self._pace = pace or Pace()
        self._wanted: dict[str, Wanted] = {}
        self._replicas = tuple(
            Replica(engine, self._wanted, self._pace, self._base_model) for engine in engines
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._turn = 0

    @classmethod
    def configured(cls, config: EngineConfig, max_queue: int) -> "Replicas":
        """What a configuration of the kind `vllm` names; each server may have `max_queue` prompts
        under way."""
        assert config.base_model is not None
        patience = Patience(
            connect=config.patience.connect_s,
            load=config.patience.load_s,
            answer=config.patience.answer_s,
        )
        key = config.api_key.get_secret_value() if config.api_key else None
        engines = [
            VllmEngine(
                url,
                config.base_model,
                folders=config.folders,
                api_key=key,
                max_queue=max_queue,
                patience=patience,
            )
            for url in config.servers
        ]
        return cls(engines, Pace(start=config.patience.start_s, look=config.reconcile_s))

    @property
    def status(self) -> Sequence[ReplicaStatus]:
        """How each server does, in the order of the configuration."""
        return tuple(each.status for each in self._replicas)

    async def start(self) -> None:
        """Begin to bring every server up, and wait for the first for the pace's start time.

        Servers that are not there are waited for in the background: the gateway serves, and says
        that it is not ready.

        Raises:
            EngineDown: the base model's folder holds no tokenizer, which waiting does not cure.
        """
        for each in self._replicas:
            await each.engine.prepare()
        if not self._tasks:
            self._tasks = [
                asyncio.create_task(each.keep(), name=f"replica {each.engine.url}")
                for each in self._replicas
            ]
        waiting = [asyncio.create_task(each.ready.wait()) for each in self._replicas]
        try:
            done, _ = await asyncio.wait(
                waiting, timeout=self._pace.start, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for task in waiting:
                task.cancel()
        if not done:
            logger.warning("the gateway starts without an engine; %s", self._why_none(None))

    async def close(self) -> None:
        """Leave every server as it is; prompts under way fail with EngineDown."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for each in self._replicas:
            each.stop()
            await each.engine.close()

    async def weights_digest(self) -> str | None:
        """None: a server elsewhere cannot prove its weights; the probes judge it."""
        return None

    async def load(self, version: str, folder: Path, proof: Proof | None = None) -> None:
        """Want a version, and have every server that is ready load, warm and prove it.

        Those that are not ready do so before they get prompts. With none ready the version is
        wanted all the same, so that a gateway may start before its servers do; until one is,
        `complete` raises EngineDown.

        Raises:
            AdapterRefused: a server refuses it, or every server would; with a proof that need not
                hold everywhere, every server does. It is not wanted, and forgotten wherever it was
                loaded, unless it was wanted before.
            ProbeFailed: the same, because of the proof.
            EngineDown: the base model's folder holds no tokenizer.
        """
        await self._replicas[0].engine.check(version, folder)
        before = self._wanted.get(version)
        self._wanted[version] = Wanted(folder, proof)
        try:
            refusals = await self._reconcile(version)
        except asyncio.CancelledError:
            if before is None:
                self._wanted.pop(version, None)  # unloaded at the next look
            raise
        enough = 1 if proof is None or proof.everywhere else len(self._replicas)
        if len(refusals) >= enough:
            if before is None:
                await self.unload(version)
            raise type(refusals[0])(str(refusals[0])) from refusals[0]

    async def unload(self, version: str) -> None:
        """Want a version no more. A server that cannot be reached forgets it before it comes
        back."""
        self._wanted.pop(version, None)
        await self._reconcile(version)

    async def complete(self, prompt: Prompt) -> Completion:
        """Complete a prompt on the replica with the fewest under way, in turn where several have.

        A completion changes nothing, so if the server fails, the prompt is tried once more on
        another replica that holds the version, unless the time for an answer is used up.

        Raises:
            UnknownModel: the version is not wanted.
            EngineDown: no replica answers; the message says of each why not.
        """
        if prompt.adapter is not None and prompt.adapter not in self._wanted:
            raise UnknownModel(f"adapter {prompt.adapter} is not loaded")
        chosen = self._choose(prompt.adapter)
        if chosen is None:
            raise EngineDown(self._why_none(prompt.adapter))
        try:
            return await chosen.complete(prompt)
        except ServerFailed as exc:
            other = self._choose(prompt.adapter, without=chosen)
            if exc.late or other is None:
                raise
        return await other.complete(prompt)

    def _choose(self, version: str | None, without: Replica | None = None) -> Replica | None:
        count = len(self._replicas)
        in_turn = ((self._turn + place) % count for place in range(count))
        able = [
            place for place in in_turn
            if self._replicas[place] is not without and self._replicas[place].answers(version)
        ]  # fmt: skip
        if not able:
            return None
        place = min(able, key=lambda place: self._replicas[place].engine.in_flight)
        self._turn = place + 1
        return self._replicas[place]

    async def _reconcile(self, changed: str) -> list[AdapterRefused]:
        """Bring the change about where that is possible now; returns the refusals."""
        found = await asyncio.gather(*(each.reconcile(changed) for each in self._replicas))
        return [refusal for refusal in found if refusal is not None]

    def _why_none(self, version: str | None) -> str:
        why = "; ".join(each.why_not(version) for each in self._replicas)
        return f"no replica can answer: {why}"

    def _base_model(self) -> str | None:
        ready = (each.engine.served for each in self._replicas if each.ready.is_set())
        return next((served.base_model for served in ready if served), None)
