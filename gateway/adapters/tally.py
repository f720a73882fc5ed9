"""Counts of one version during one trial, and the frozen figures made of them. Knows no rule.

Latency is that of the route step, which is the version's own share of a request, in seconds.
"""

import math
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.decide import Decision
from gateway.score import grade

_LATENCIES = 2_000
"""So many of the latest are kept."""


@dataclass(frozen=True, slots=True)
class Counts:
    """The figures of one version. An error is a request that the engine could not complete.

    `outcomes` counts `outcome` or `outcome/reason_code`; `dropped` are requests that a shadow was
    not asked, for it was behind; `seconds` are the latest latencies; `confidence` is the mean.
    """

    requests: int = 0
    outcomes: Mapping[str, int] | None = None
    errors: int = 0
    compared: int = 0
    agreed: int = 0
    dropped: int = 0
    seconds: Sequence[float] = ()
    confidence: float | None = None

    def latency(self, share: float) -> float | None:
        """The quantile of the latest latencies, by nearest rank: the smallest value that at least
        `share` of them do not exceed."""
        ordered = sorted(self.seconds)
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None

    def of(self, outcome: str) -> int:
        """How many requests came to an outcome, whatever the reason."""
        found = (self.outcomes or {}).items()
        return sum(count for key, count in found if key.partition("/")[0] == outcome)

    @property
    def broken(self) -> int:
        """Requests with an invalid answer or none."""
        return self.of("invalid") + self.errors

    @property
    def no_tool(self) -> int:
        """Requests that were answered with no_tool."""
        return self.of("no_tool")

    @property
    def left(self) -> int:
        """Requests that neither a call nor a no_tool answered."""
        return self.broken + self.of("abstained")

    @property
    def agreement(self) -> float | None:
        """Share of the compared requests on which both versions would have made the same calls."""
        return self.agreed / self.compared if self.compared else None

    def as_dict(self) -> dict[str, Any]:
        """The figures as the operator sees them; times in milliseconds."""
        return {
            "requests": self.requests,
            "outcomes": dict(self.outcomes or {}),
            "errors": self.errors,
            "compared": self.compared,
            "disagreements": self.compared - self.agreed,
            "dropped": self.dropped,
            "latency_ms": {
                "mean": _ms(sum(self.seconds) / len(self.seconds) if self.seconds else None),
                "p50": _ms(self.latency(0.5)),
                "p95": _ms(self.latency(0.95)),
            },
            "confidence": None if self.confidence is None else round(self.confidence, 4),
        }


class Tally:
    """Counts the requests of one version."""

    def __init__(self) -> None:
        self._outcomes: Counter[str] = Counter()
        self._errors = self._compared = self._agreed = self._dropped = 0
        self._seconds: deque[float] = deque(maxlen=_LATENCIES)
        self._confidences: tuple[int, float] = (0, 0.0)

    def answered(self, decision: Decision, seconds: float, confidence: float | None) -> None:
        """Count an answer, and how long the route took."""
        code = f"/{decision.reason_code}" if decision.reason_code else ""
        self._outcomes[decision.outcome + code] += 1
        self._seconds.append(seconds)
        if confidence is not None:
            n, total = self._confidences
            self._confidences = (n + 1, total + confidence)

    def failed(self) -> None:
        """Count a request that the engine could not complete."""
        self._errors += 1

    def compared(self, agrees: bool) -> None:
        """Count a comparison with the other version's answer to the same request."""
        self._compared += 1
        self._agreed += agrees

    def dropped(self) -> None:
        """Count a request that was not asked."""
        self._dropped += 1

    def counts(self) -> Counts:
        """The figures so far."""
        answered = self._outcomes.total()
        judged, confidence = self._confidences
        return Counts(
            requests=answered + self._errors,
            outcomes=dict(self._outcomes),
            errors=self._errors,
            compared=self._compared,
            agreed=self._agreed,
            dropped=self._dropped,
            seconds=tuple(self._seconds),
            confidence=confidence / judged if judged else None,
        )


def agrees(served: Decision, shadowed: Decision) -> bool:
    """Whether both would have made the same calls, by the rules of a report, or none."""
    if not served.calls:
        return not shadowed.calls
    return grade(served.calls, shadowed.outcome, shadowed.calls).exact


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
