"""Bring a version into service and take it out again, while agents keep calling.

Activation: verify -> load, and probe wherever it is loaded -> keep -> swap -> unload what nobody
needs. A failed step leaves everything as it is and says which step failed. Activations run one
after another. A rollback, a promotion and the end of a trial wait for none of them: what they bring
into service is loaded, so that they are one assignment.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

from gateway.adapters.active import Active, ActiveAdapters
from gateway.adapters.probing import proof_of, require_proven
from gateway.adapters.retire import Retirement
from gateway.adapters.store import AdapterStore, require_unchanged
from gateway.adapters.succession import Succession
from gateway.adapters.trial import Trial, TrialKind
from gateway.engines.base import Engine
from gateway.errors import AdapterRefused, Conflict, PointsmanError, ProbeFailed
from gateway.manifest import Adapter
from gateway.records import Records

logger = logging.getLogger(__name__)

_T = TypeVar("_T")
GRACE_S = 5.0


class Swap:
    """Activates adapters, on trial or in full, and rolls back."""

    def __init__(
        self,
        engine: Engine,
        store: AdapterStore,
        active: ActiveAdapters,
        records: Records,
        grace_s: float = GRACE_S,
    ) -> None:
        """`grace_s`: for how many seconds a version stays loaded that nobody needs any more."""
        self._engine = engine
        self._store = store
        self._active = active
        self._one_at_a_time = asyncio.Lock()
        self._retirement = Retirement(
            engine, active.leases, self._is_needed, self._one_at_a_time, grace_s
        )
        self._succession = Succession(active, records, self._retirement.soon)

    def previous(self, name: str) -> str | None:
        """The version that a rollback would bring back."""
        return self._succession.previous(name)

    async def activate(
        self, adapter: Adapter, toolset: str | None = None, *, probe: bool = True
    ) -> Active:
        """Bring a stored version into service for a toolset (by default the one served so far or
        trained on). A trial under way for the name ends. `probe=False` is for what the
        configuration vouches for: only servers elsewhere are asked for its probes, also later, and
        one that passes is enough; tools that drifted away from it do not keep it from serving.

        Raises:
            AdapterRefused: a step failed; the message says which. Nothing has changed.
        """
        async with self._one_at_a_time:
            before = self._active.get(adapter.name)
            chosen = toolset or (before.toolset if before else adapter.manifest.toolset)
            await self._bring_up(adapter, chosen, probe=probe)
            return await self._step("keep", adapter, self._succession.take_over(adapter, chosen))

    async def start_trial(
        self,
        adapter: Adapter,
        kind: TrialKind,
        share: float = 1.0,
        *,
        auto: bool = False,
    ) -> Trial:
        """Bring a version up beside the one in service, for a share (0 to 1) of the conversations.

        Raises:
            UnknownAdapter: nothing is in service to try it beside.
            Conflict: the version is in service itself, or another trial is under way.
            AdapterRefused: as `activate`.
        """
        trial = Trial(kind, adapter, share, auto, round(time.time(), 3))
        async with self._one_at_a_time:
            await self._try(trial)
        return trial

    async def restore(
        self,
        adapter: Adapter,
        toolset: str | None = None,
        previous: Adapter | None = None,
        trial: Trial | None = None,
        kept: Mapping[str, Any] | None = None,
    ) -> Active | None:
        """Bring up what the records have in service, for a rollback, and on trial: of an earlier
        run, or through another gateway that shares them.

        What runs here is not probed, for it has served already; of several servers one that passes
        is enough. Nothing is kept. With `kept`, in the form of `Records.active`, it is done only if
        that still holds; else returns None.

        Raises:
            AdapterRefused: as `activate`; another version that cannot be loaded is left out.
        """
        served, before = toolset or adapter.manifest.toolset, None
        async with self._one_at_a_time:
            await self._bring_up(adapter, served, probe=False)
            if previous is not None:
                try:
                    await require_unchanged(previous)
                    await self._load(previous, probe=False)
                    before = (previous, toolset or previous.manifest.toolset)
                except PointsmanError as exc:
                    logger.warning("no rollback to adapter %s: %s", previous.version, exc)
            if trial is not None:
                try:
                    await self._bring_up(trial.adapter, served, probe=False)
                except PointsmanError as exc:
                    logger.warning("the trial of adapter %s ends: %s", trial.adapter.version, exc)
                    trial = None
            active = await self._succession.take_up(adapter, served, before, trial, kept)
        for found in (adapter, before and before[0], trial and trial.adapter):
            if found is not None and not self._is_needed(found.version):
                self._retirement.soon(found.version)
        return active

    def differs(self, name: str, kept: Mapping[str, Any]) -> bool:
        """Whether what is in service is not what the records have. As `Succession.differs`."""
        return self._succession.differs(name, kept)

    def trial(self, name: str) -> Trial | None:
        """The trial under way beside the version in service."""
        return self._active.trial(name)

    async def promote(self, name: str, trial: Trial | None = None) -> Active:
        """Bring the version on trial into service. Raises as `Succession.promote`."""
        return await self._succession.promote(name, trial)

    async def end_trial(self, name: str, trial: Trial | None = None) -> Active:
        """Take the version on trial back out. Raises as `Succession.end_trial`."""
        return await self._succession.end_trial(name, trial)

    async def rollback(self, name: str) -> Active:
        """End the trial under way; without one, bring the version before back into service.

        Raises as `Succession.roll_back`.
        """
        return await self._succession.roll_back(name)

    async def remove(self, adapter: Adapter) -> None:
        """Delete a stored version.

        Raises:
            Conflict: it is needed or answers requests.
            UnknownAdapter, AdapterRefused: as `AdapterStore.remove`.
        """
        version = adapter.version
        async with self._one_at_a_time:
            if use := self._succession.use_of(version):
                raise Conflict(f"adapter {version} is {use}")
            if self._active.leases.held(version):
                raise Conflict(f"adapter {version} has requests under way")
            await self._retirement.unload(version)
            await self._store.remove(version)

    async def settled(self) -> None:
        """Wait until every unloading under way has come to its end."""
        await self._retirement.settled()

    async def close(self) -> None:
        """Unload at once what waits for its grace time; idempotent. Requests must be over."""
        await self._retirement.close()

    def _is_needed(self, version: str) -> bool:
        return self._succession.use_of(version) is not None

    async def _try(self, trial: Trial) -> None:
        adapter = trial.adapter
        self._succession.refuse_trial(adapter)
        toolset = self._succession.in_service(adapter.name).toolset
        await self._bring_up(adapter, toolset, probe=True)
        await self._step("keep", adapter, self._succession.begin(trial))

    async def _bring_up(self, adapter: Adapter, toolset: str, *, probe: bool) -> None:
        if probe:  # else whether servers have listed yet would decide what a start brings up
            self._refuse_dead(adapter, toolset)
        await self._step("verify", adapter, require_unchanged(adapter))
        await self._step("load", adapter, self._load(adapter, probe=probe))
        if probe:
            await self._step("probe", adapter, require_proven(self._engine, adapter.version))
            if not adapter.manifest.probes:
                logger.warning(
                    "adapter %s has no probes: nothing shows that it answers as it must",
                    adapter.version,
                    extra={"event": "adapter_not_probed", "adapter": adapter.version},
                )

    async def _load(self, adapter: Adapter, *, probe: bool) -> None:
        # A server elsewhere may run anything by now: it is judged by the probes whenever it loads.
        # What has served already must not be lost to all because one of the servers is wrong.
        probed = probe or self._engine.status
        proof = proof_of(adapter, everywhere=probe) if probed else None
        await self._engine.load(adapter.version, adapter.folder, proof)

    def _refuse_dead(self, adapter: Adapter, toolset: str) -> None:
        drift = self._active.drift_to(adapter, toolset)
        if drift is None:
            return
        gone = [item.tool for item in drift.tools if item.grade in ("removed", "renamed")]
        if len(gone) == len(adapter.toolset.tools):
            raise AdapterRefused(f"{adapter.version}: none of its tools is live in {toolset}")
        if self._active.action_on(adapter, drift) == "block":
            raise AdapterRefused(
                f"{adapter.version}: toolset {toolset} has drifted ({drift.worst}) and the policy "
                "is to block"
            )

    async def _step(self, step: str, adapter: Adapter, work: Awaitable[_T]) -> _T:
        try:
            return await work
        except PointsmanError as exc:
            if not self._is_needed(adapter.version):
                await self._retirement.unload(adapter.version)
            failed = "probe" if isinstance(exc, ProbeFailed) else step
            raise AdapterRefused(f"{adapter.version}: step {failed} failed: {exc}") from exc
        except asyncio.CancelledError:
            self._retirement.soon(adapter.version)
            raise
