"""Which adapter versions are in service or on trial, for which toolset, and how far they drifted.

Drift is graded whenever the catalog or the set of adapters changes, never on a request's path. What
a name stands for is in `entry.py`.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from gateway.adapters.entry import Active, Chosen, Entry, drift_of
from gateway.adapters.leases import Leases
from gateway.adapters.notice import DriftNotices, Notice
from gateway.adapters.trial import Trial, chosen_for
from gateway.drift import Drift, DriftGrade
from gateway.drift_policy import DriftPolicy, harshest, stand_in, withheld
from gateway.errors import UnknownModel
from gateway.grades import DriftAction
from gateway.manifest import Adapter
from gateway.observe import Metrics
from gateway.toolsets.catalog import Catalog

__all__ = ["Active", "ActiveAdapters", "Chosen", "drift_of"]


class ActiveAdapters:
    """The alias table: names -> versions in service and on trial. Swaps are one assignment."""

    def __init__(
        self,
        policy: DriftPolicy,
        metrics: Metrics,
        is_listed: Callable[[str], bool],
        notices: DriftNotices | None = None,
    ) -> None:
        """`is_listed` tells whether every server of a toolset has listed its tools once."""
        self.policy = policy
        self._metrics = metrics
        self._notices = notices or DriftNotices(metrics)
        self._is_listed = is_listed
        self._table: dict[str, Entry] = {}
        self._told: list[Callable[[], None]] = []
        self._catalog = Catalog()
        self.leases = Leases()

    @property
    def all(self) -> Sequence[Active]:
        """Every adapter in service, in the order of activation."""
        return tuple(entry.active for entry in self._table.values())

    def on_change(self, told: Callable[[], None]) -> None:
        """Call `told` after every change of what is in service, on the event loop."""
        self._told.append(told)

    def on_warning(self, told: Callable[[Notice], None]) -> None:
        """Call `told` with every drift that is warned of, on the event loop."""
        self._notices.on_warning(told)

    def action_on(self, adapter: Adapter, drift: Drift) -> DriftAction:
        """The harshest thing that the policy does about an adapter's drift."""
        return harshest(self.policy, adapter.name, (item.grade for item in drift.tools))

    def withheld(self, active: Active) -> frozenset[DriftGrade]:
        """The grades of the tools that this adapter's proposals may not name."""
        return withheld(self.policy, active.adapter.name)

    def resolve(self, model: str | None) -> Active:
        """The adapter of a name, a version, a toolset, or `auto` for the first in service.

        By any name but that of its version, a drifted one may have another stand in for it.

        Raises:
            UnknownModel: nothing in service has the name.
        """
        entry = self._entry(model)
        if entry.tried is not None and entry.tried.adapter.version == model:
            return entry.tried
        if entry.active.adapter.version == model:
            return entry.active
        return self._stand_in(entry.active) or entry.active

    def choose(self, model: str | None, conversation: str) -> Chosen:
        """Which version answers a request of a conversation. Raises UnknownModel."""
        entry = self._entry(model)
        trial, tried = entry.trial, entry.tried
        active = self.resolve(model)
        if trial is None or tried is None or active.stands_in_for is not None:
            return Chosen(active)
        if model in (entry.active.adapter.version, tried.adapter.version):
            return Chosen(active)
        taken = chosen_for(tried.adapter.version, conversation, trial.share)
        if trial.kind == "shadow":
            return Chosen(entry.active, trial=trial, shadow=tried if taken else None)
        return Chosen(tried, "canary", trial) if taken else Chosen(entry.active, trial=trial)

    @contextmanager
    def asked(self, model: str | None, conversation: str) -> Generator[Chosen]:
        """Choose a version and keep it loaded for the length of the block. Raises UnknownModel."""
        chosen = self.choose(model, conversation)
        with self.leases.hold(chosen.active.adapter.version):
            yield chosen

    def get(self, name: str) -> Active | None:
        """The entry of an adapter's name."""
        entry = self._table.get(name)
        return entry.active if entry else None

    def trial(self, name: str) -> Trial | None:
        """The trial under way beside the version in service."""
        entry = self._table.get(name)
        return entry.trial if entry else None

    def tried(self, name: str) -> Active | None:
        """The version on trial, as it is asked."""
        entry = self._table.get(name)
        return entry.tried if entry else None

    def put(self, adapter: Adapter, toolset: str, trial: Trial | None = None) -> Active:
        """Bring a version into service under its name, in place of any other and of its trial.

        `trial` then runs beside it.
        """
        active = self._graded(Active(adapter, toolset))
        tried = self._graded(Active(trial.adapter, toolset)) if trial else None
        before = self._table.get(adapter.name)
        self._table = {**self._table, adapter.name: Entry(active, trial, tried)}
        if before is not None:
            self._forget(before)
        if trial is not None:
            self._metrics.versions.trial_share.labels(trial.adapter.version, trial.kind).set(
                trial.share
            )
        for told in self._told:
            told()
        return active

    def enforce(self, policy: DriftPolicy) -> None:
        """Put a policy in force: what it warns of and the one before did not is told now."""
        if policy != self.policy:
            self.policy = policy
            self.on_catalog(self._catalog)

    def on_catalog(self, catalog: Catalog) -> None:
        """Grade every adapter in service or on trial against a new catalog."""
        self._catalog = catalog
        self._table = {
            name: replace(
                entry,
                active=self._graded(Active(entry.active.adapter, entry.active.toolset)),
                tried=entry.tried
                and self._graded(Active(entry.tried.adapter, entry.tried.toolset)),
            )
            for name, entry in self._table.items()
        }

    def drift_to(self, adapter: Adapter, toolset: str) -> Drift | None:
        """Drift that an adapter would have on the live toolset; None if it has not been listed."""
        live = self._catalog.toolsets.get(toolset)
        if live is None or not self._is_listed(toolset):
            return None
        return drift_of(adapter, live.by_name)

    def _entry(self, model: str | None) -> Entry:
        if model in (None, "", "auto") and self._table:
            return next(iter(self._table.values()))
        for entry in self._table.values():
            adapter = entry.active.adapter
            tried = entry.trial.adapter.version if entry.trial else adapter.version
            if model in (adapter.name, adapter.version, entry.active.toolset, tried):
                return entry
        known = ", ".join(self._table) or "none"
        raise UnknownModel(f"no adapter {model or 'auto'!r} is in service; in service: {known}")

    def _stand_in(self, active: Active) -> Active | None:
        """The adapter that answers instead of a drifted one; None if it answers itself."""
        if self.action_on(active.adapter, active.drift) != "fallback":
            return None
        other = self.get(stand_in(self.policy, active.adapter.name) or "")
        if other is None or other.live is None:
            return None
        if self.action_on(other.adapter, other.drift) in ("fallback", "block"):
            return None  # it would do no better
        return replace(other, stands_in_for=active)

    def _graded(self, active: Active) -> Active:
        drift = self.drift_to(active.adapter, active.toolset)
        if drift is None:
            return active
        live = self._catalog.toolsets[active.toolset]
        self._notices.tell(active.adapter, live, drift, self.policy)
        return replace(active, live=live, drift=drift)

    def _forget(self, before: Entry) -> None:
        """Take back the metrics of what has left the table."""
        now = self._table[before.active.adapter.name]
        kept = {now.active.adapter.version, now.trial and now.trial.adapter.version}
        for gone in (before.active, before.tried):
            if gone is not None and gone.adapter.version not in kept:
                self._notices.forget(gone.adapter.version)
        if before.trial is not None and before.trial is not now.trial:
            self._metrics.versions.trial_share.remove(
                before.trial.adapter.version, before.trial.kind
            )
