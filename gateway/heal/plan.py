"""What to do about a drift: which rows hold, which are relabelled, which are to be written anew.

A value made of values: the drift, and what became of every row. It is written as JSON for whoever
works through it, and told in lines to read.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.drift import Drift, ToolDrift
from gateway.heal.relabel import Healed
from gateway.heal.rows import TOOLSET, Line
from gateway.types import Toolset

_SHOWN_REASONS = 3
_TAUGHT_ANEW = ("compatible", "added", "breaking", "renamed")
"""Grades of tools that need rows of their own: what changed is not in the old ones."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of one adapter; `out` is where rows for the live toolset go, if that is decided."""

    adapter: str
    trained: Toolset
    live: Toolset
    drift: Drift
    found: Sequence[tuple[Line, Healed]]
    out: Path | None = None

    @property
    def to_generate(self) -> Sequence[str]:
        """The live names of the tools that need new rows."""
        return [
            item.renamed_to or item.tool
            for item in self.drift.tools if item.grade in _TAUGHT_ANEW
        ]  # fmt: skip

    @property
    def counts(self) -> Mapping[str, int]:
        """Verdict -> rows."""
        return _counts(self.found)

    def as_dict(self) -> dict[str, Any]:
        """The form of the plan's file."""
        return {
            "adapter": self.adapter,
            "toolset": self.live.name,
            "grade": self.drift.worst,
            "trained_fingerprint": self.trained.fingerprint,
            "live_fingerprint": self.live.fingerprint,
            "rows": self.counts,
            "tools": [self._tool(item) for item in self.drift.tools],
            "generate": {"tools": list(self.to_generate), "command": self.command},
            "relabelled": [
                {"row": line.place, "before": line.row["target"], "after": healed.row["target"]}
                for line, healed in self.found if healed.verdict == "relabelled"
            ],
            "aside": [
                {"row": line.place, "why": healed.why}
                for line, healed in self.found if healed.verdict == "aside"
            ],
        }  # fmt: skip

    @property
    def command(self) -> str | None:
        """What asks a teacher for the new rows; None if none are needed."""
        if not self.to_generate:
            return None
        return (
            f"pointsman dataset generate --toolset {(self.out or Path('OUT')) / TOOLSET} "
            f"--tools {','.join(self.to_generate)} --teacher URL --model NAME --out GENERATED"
        )

    @property
    def lines(self) -> Sequence[str]:
        """The plan to read."""
        told = [f"{self.adapter} on toolset {self.live.name}: {_said(self.counts)}"]
        for item in self.drift.tools:
            renamed = f" to {item.renamed_to}" if item.renamed_to else ""
            own = self._own(item)
            told.append(f"  {item.tool}: {item.grade}{renamed}; {_said(_counts(own))}")
            why = list(_why(own).items())[:_SHOWN_REASONS]
            told += [f"    aside, {count} rows: {reason}" for reason, count in why]
        if self.command:
            told.append(f"new rows are needed for {', '.join(self.to_generate)}: write them, or")
            told.append(f"  {self.command}")
        return told

    def _own(self, item: ToolDrift) -> Sequence[tuple[Line, Healed]]:
        return [pair for pair in self.found if item.tool in pair[1].tools]

    def _tool(self, item: ToolDrift) -> dict[str, Any]:
        own = self._own(item)
        return {**item.as_dict(), "rows": _counts(own), "aside": _why(own)}


def _why(found: Sequence[tuple[Line, Healed]]) -> Mapping[str, int]:
    """Why rows are set aside -> how many, the most frequent reason first."""
    why = Counter(healed.why or "" for _, healed in found if healed.verdict == "aside")
    return dict(why.most_common())


def _counts(found: Sequence[tuple[Line, Healed]]) -> Mapping[str, int]:
    counted = Counter(healed.verdict for _, healed in found)
    return {verdict: counted[verdict] for verdict in ("holds", "relabelled", "aside")}


def _said(counts: Mapping[str, int]) -> str:
    return (
        f"{counts['holds']} rows hold, {counts['relabelled']} are relabelled, "
        f"{counts['aside']} set aside"
    )
