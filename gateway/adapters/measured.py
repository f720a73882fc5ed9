"""The figure that joins a warning: what the drift costs the adapter. A value: no decisions.

Above stands whoever measures; below, the warning and the replayed rows.
"""

from dataclasses import dataclass
from typing import Any

from gateway.adapters.notice import Notice
from gateway.impact.figure import Impact, flip_line

SHOWN_FLIPS = 10

Mark = tuple[str, str, tuple[str, ...]]
"""What a figure belongs to: version, live fingerprint, and the tools that the policy withholds."""


def mark_of(notice: Notice) -> Mark:
    """What the figure of a notice belongs to."""
    return (*notice.key, notice.masked)


@dataclass(frozen=True, slots=True)
class Measured:
    """What a drift that was warned of costs."""

    notice: Notice
    impact: Impact

    @property
    def mark(self) -> Mark:
        """What the figure belongs to."""
        return mark_of(self.notice)

    def as_dict(self) -> dict[str, Any]:
        """The fields of the event, the same wherever it is told. Adapter and live fingerprint are
        those of the warning that it joins."""
        told = self.notice.as_dict()
        same = ("adapter", "toolset", "grade", "trained_fingerprint", "live_fingerprint", "action")
        return {
            "event": "toolset_drift_impact",
            **{key: told[key] for key in same},
            "measured": self.impact.summary,
            **self.impact.as_dict(SHOWN_FLIPS),
        }

    def as_log(self) -> dict[str, Any]:
        """The event for agents, without the rows: they are other people's requests."""
        return {key: value for key, value in self.as_dict().items() if key != "flipped"}

    @property
    def summary(self) -> str:
        """The event in one line."""
        notice = self.notice
        return (
            f"the drift of toolset {notice.live.name} costs adapter {notice.adapter.version}: "
            f"{self.impact.summary}"
        )

    @property
    def detail(self) -> tuple[str, ...]:
        """The first rows that flipped, in lines to read."""
        flips = self.impact.flips
        lines = [flip_line(flip.as_dict()) for flip in flips[:SHOWN_FLIPS]]
        more = len(flips) - len(lines)
        return (*lines, *([f"and {more} more rows flipped"] if more else []))
