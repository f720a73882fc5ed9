"""What is said about drift: one warning per (adapter, live fingerprint), and a metric per version.

Decides nothing. Above stands the alias table, which grades; below, whoever is told.
"""

import json
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from gateway.drift import GRADES, Change, Drift, ToolDrift
from gateway.drift_policy import DriftPolicy, harshest, stand_in, withheld
from gateway.grades import DriftAction
from gateway.manifest import Adapter
from gateway.observe import Metrics
from gateway.types import Toolset

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Notice:
    """Everything that is needed to act on a drift. `masked` are the tools whose calls are withheld,
    `stand_in` the adapter that answers instead, if one does."""

    adapter: Adapter
    live: Toolset
    drift: Drift
    action: DriftAction
    masked: tuple[str, ...]
    stand_in: str | None

    @property
    def key(self) -> tuple[str, str]:
        """What is told once: the version, and the fingerprint of what is live."""
        return self.adapter.version, self.live.fingerprint

    def as_dict(self) -> dict[str, Any]:
        """The fields of the event, the same wherever it is told."""
        return {
            "event": "toolset_drift",
            "adapter": self.adapter.version,
            "toolset": self.live.name,
            "grade": self.drift.worst,
            "trained_fingerprint": self.adapter.toolset.fingerprint,
            "live_fingerprint": self.live.fingerprint,
            "tools": [item.as_dict() for item in self.drift.tools],
            "action": self.action,
            "masked": list(self.masked),
            "stand_in": self.stand_in,
        }

    def as_log(self) -> dict[str, Any]:
        """The event for agents, without the changed texts: they are the server's words, and nobody
        has looked at them yet."""
        tools = [
            {"tool": item.tool, "grade": item.grade}
            | ({"renamed_to": item.renamed_to} if item.renamed_to else {})
            for item in self.drift.tools
        ]
        return {**self.as_dict(), "tools": tools}

    @property
    def summary(self) -> str:
        """The drift in one line."""
        tools = ", ".join(
            f"{item.tool} {item.grade}" + (f" to {item.renamed_to}" if item.renamed_to else "")
            for item in self.drift.tools
        )
        withheld = f"; withheld: {', '.join(self.masked)}" if self.masked else ""
        return (
            f"toolset {self.live.name} has drifted from what adapter {self.adapter.version} was "
            f"trained on: {tools}{withheld}"
        )

    @property
    def detail(self) -> tuple[str, ...]:
        """What changed, what is done about it, and what a person can do, in lines to read."""
        lines: list[str] = [f"worst grade: {self.drift.worst}"]
        for item in self.drift.tools:
            lines += _tool_lines(item)
        return (*lines, self._done(), *_next_steps(self.adapter))

    def _done(self) -> str:
        masked = ", ".join(self.masked)
        if self.action == "block":
            return "the gateway refuses every request to this adapter with 503"
        if self.action == "fallback" and self.stand_in is not None:
            return f"adapter {self.stand_in} answers instead, if it is in service and does better"
        if self.masked:
            return f"the gateway makes no calls of {masked}; it makes those of the other tools"
        return "the gateway goes on making this adapter's calls"


def notice_of(adapter: Adapter, live: Toolset, drift: Drift, policy: DriftPolicy) -> Notice:
    """What there is to tell of a drift under a policy."""
    grades = withheld(policy, adapter.name)
    return Notice(
        adapter=adapter,
        live=live,
        drift=drift,
        action=harshest(policy, adapter.name, (item.grade for item in drift.tools)),
        masked=tuple(item.tool for item in drift.tools if item.grade in grades),
        stand_in=stand_in(policy, adapter.name),
    )


class DriftNotices:
    """Tells drift, and remembers what has been told."""

    def __init__(
        self, metrics: Metrics, is_silenced: Callable[[Notice], bool] | None = None
    ) -> None:
        """A notice that `is_silenced` is logged as information, and nobody else is told."""
        self._metrics = metrics
        self._is_silenced = is_silenced or _never
        self._warned: set[tuple[str, str]] = set()
        self._noted: set[tuple[str, str]] = set()
        self._current: dict[str, Notice] = {}
        self._told: list[Callable[[Notice], None]] = []
        self._changed: list[Callable[[], None]] = []

    @property
    def standing(self) -> Sequence[Notice]:
        """The notices that were warned of and still hold, in the order in which they came."""
        return [notice for notice in self._current.values() if notice.key in self._warned]

    def current(self, version: str) -> Notice | None:
        """The drift that a version has now, warned of or not; None if it has none."""
        return self._current.get(version)

    def is_silenced(self, notice: Notice) -> bool:
        """Whether a notice is told to nobody now."""
        return self._is_silenced(notice)

    def on_change(self, told: Callable[[], None]) -> None:
        """Call `told` whenever a drift came, went or became another."""
        self._changed.append(told)

    def on_warning(self, told: Callable[[Notice], None]) -> None:
        """Call `told` with every notice that is a warning."""
        self._told.append(told)

    def forget(self, version: str) -> None:
        """Take back the metric of a version that left service."""
        self._current.pop(version, None)
        with suppress(KeyError):  # never graded
            self._metrics.drift.remove(version)
        self._change()

    def tell(self, adapter: Adapter, live: Toolset, drift: Drift, policy: DriftPolicy) -> None:
        """Tell how far a live toolset is from what an adapter was trained on."""
        self._metrics.drift.labels(adapter.version).set(GRADES.index(drift.worst))
        self._current.pop(adapter.version, None)
        if drift.worst != "none":
            notice = notice_of(adapter, live, drift, policy)
            self._current[adapter.version] = notice
            self._tell_once(notice)
        self._change()

    def look_again(self) -> None:
        """Warn of what was silenced and is so no more."""
        for notice in self._current.values():
            self._tell_once(notice)
        self._change()

    def _tell_once(self, notice: Notice) -> None:
        if notice.key in self._warned:
            return
        quiet = notice.action == "log"
        if quiet or self._is_silenced(notice):
            if notice.key not in self._noted:
                self._noted.add(notice.key)
                self._log(logging.INFO, notice, "" if quiet else " (silenced)")
            return
        self._warned.add(notice.key)
        self._log(logging.WARNING, notice)
        for told in self._told:
            try:
                told(notice)
            except Exception:
                # Whoever listens must not cost the others the warning, or the catalog its change.
                logger.exception("a listener failed on a drift warning")

    def _change(self) -> None:
        for told in self._changed:
            told()

    def _log(self, level: int, notice: Notice, suffix: str = "") -> None:
        extra = {**notice.as_dict(), "detail": notice.detail}
        logger.log(level, "%s%s", notice.summary, suffix, extra=extra)


def _never(_: Notice) -> bool:
    return False


def _tool_lines(item: ToolDrift) -> list[str]:
    renamed = f" to {item.renamed_to}" if item.renamed_to else ""
    return [f"{item.tool}: {item.grade}{renamed}", *(f"  {_line(c)}" for c in item.changes)]


def _line(change: Change) -> str:
    value = change.as_dict()
    return f"{change.pointer}: {_readable(value['before'])} -> {_readable(value['after'])}"


def _readable(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)


def _next_steps(adapter: Adapter) -> tuple[str, ...]:
    return (
        f"see it whole: pointsman drift --adapter {adapter.name}",
        "mend it: train on the live toolset, then pointsman adapters add FOLDER and activate it",
        "accept it for a time: POST /admin/drift/silences",
    )
