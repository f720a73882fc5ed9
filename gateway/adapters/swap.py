"""Bring a version into service and take it out again, while agents keep calling.

Activation: load -> probe -> swap -> keep -> unload what nobody needs. A failed step leaves the
version in service as it is and says which step failed. Activations run one after another. The
version before stays loaded, so that a rollback is one assignment.
"""

import asyncio
import logging
from collections.abc import Awaitable, Sequence

from gateway.adapters.active import Active, ActiveAdapters
from gateway.adapters.store import AdapterStore
from gateway.engines.base import Engine
from gateway.errors import AdapterRefused, Conflict, PointsmanError, UnknownAdapter
from gateway.manifest import Adapter, Probe
from gateway.records import Records
from gateway.router import Router
from gateway.score import grade
from gateway.types import Call, Message

logger = logging.getLogger(__name__)


class Swap:
    """Activates and rolls back adapters."""

    def __init__(
        self,
        engine: Engine,
        router: Router,
        store: AdapterStore,
        active: ActiveAdapters,
        records: Records,
    ) -> None:
        self._engine = engine
        self._router = router
        self._store = store
        self._active = active
        self._records = records
        self._previous: dict[str, tuple[Adapter, str]] = {}
        self._one_at_a_time = asyncio.Lock()

    def previous(self, name: str) -> str | None:
        """The version that a rollback would bring back."""
        found = self._previous.get(name)
        return found[0].version if found else None

    async def activate(
        self, adapter: Adapter, toolset: str | None = None, *, probe: bool = True
    ) -> Active:
        """Bring a stored version into service for a toolset (the manifest's by default).

        Raises:
            AdapterRefused: a step failed; the message says which. Nothing has changed.
        """
        async with self._one_at_a_time:
            before = self._active.get(adapter.name)
            chosen = toolset or (before.toolset if before else adapter.manifest.toolset)
            self._refuse_dead(adapter, chosen)
            await self._step("load", adapter, self._engine.load(adapter.version, adapter.folder))
            if probe:
                await self._step("probe", adapter, self._probe(adapter))
            if before is not None and before.adapter.version != adapter.version:
                await self._forget_previous(adapter.name, keep=adapter.version)
                self._previous[adapter.name] = (before.adapter, before.toolset)
            return await self._put(adapter, chosen)

    async def restore(
        self, adapter: Adapter, toolset: str | None = None, previous: Adapter | None = None
    ) -> Active:
        """Bring back what an earlier run had in service, and what a rollback would bring back.

        Nothing is probed: the version has served already, or the configuration vouches for it.

        Raises:
            AdapterRefused: as `activate`; a version before that cannot be loaded is left out.
        """
        if previous is not None:
            try:
                await self._engine.load(previous.version, previous.folder)
                self._previous[adapter.name] = (previous, toolset or previous.manifest.toolset)
            except PointsmanError as exc:
                logger.warning("no rollback to adapter %s: %s", previous.version, exc)
        return await self.activate(adapter, toolset, probe=False)

    async def rollback(self, name: str) -> Active:
        """Bring the version before back into service.

        Raises:
            UnknownAdapter: nothing of that name is in service.
            Conflict: there is no version before.
        """
        async with self._one_at_a_time:
            current = self._active.get(name)
            if current is None:
                raise UnknownAdapter(f"no adapter {name!r} is in service")
            found = self._previous.pop(name, None)
            if found is None:
                raise Conflict(f"adapter {name!r} has no version before {current.adapter.version}")
            self._previous[name] = (current.adapter, current.toolset)
            return await self._put(*found)

    async def _put(self, adapter: Adapter, toolset: str) -> Active:
        active = self._active.put(adapter, toolset)
        await self._records.keep_active(
            adapter.name, adapter.version, self.previous(adapter.name), toolset
        )
        logger.info(
            "adapter %s is in service for toolset %s", adapter.version, toolset,
            extra={"event": "adapter_active", "adapter": adapter.version, "toolset": toolset},
        )  # fmt: skip
        return active

    def _refuse_dead(self, adapter: Adapter, toolset: str) -> None:
        drift = self._active.drift_to(adapter, toolset)
        if drift is None:
            return
        gone = [item.tool for item in drift.tools if item.grade in ("removed", "renamed")]
        if len(gone) == len(adapter.toolset.tools):
            raise AdapterRefused(f"{adapter.version}: none of its tools is live in {toolset}")
        if self._active.policy == "block" and drift.worst in ("breaking", "renamed", "removed"):
            raise AdapterRefused(
                f"{adapter.version}: toolset {toolset} has drifted ({drift.worst}) and the policy "
                "is to block"
            )

    async def _probe(self, adapter: Adapter) -> None:
        asked = adapter.offering(None)
        for probe in adapter.manifest.probes:
            route = await self._router.route([Message("user", probe.request)], asked)
            outcome = "invalid" if route.error else "no_tool" if route.is_no_tool else "call"
            if not grade(_wanted(probe), outcome, route.calls).exact:
                raise AdapterRefused(f"the request {probe.request!r} was answered wrongly")

    async def _step(self, step: str, adapter: Adapter, work: Awaitable[None]) -> None:
        try:
            await work
        except PointsmanError as exc:
            in_service = self._active.get(adapter.name)
            needed = in_service.adapter.version if in_service else None
            if adapter.version not in (needed, self.previous(adapter.name)):
                await self._engine.unload(adapter.version)
            raise AdapterRefused(f"{adapter.version}: step {step} failed: {exc}") from exc

    async def _forget_previous(self, name: str, keep: str) -> None:
        found = self._previous.pop(name, None)
        if found is not None and found[0].version != keep:
            await self._engine.unload(found[0].version)


def _wanted(probe: Probe) -> Sequence[Call]:
    if probe.target.get("tool") == "no_tool":
        return ()
    calls = probe.target.get("calls") or [probe.target]
    return [Call(call["tool"], call["arguments"]) for call in calls]
