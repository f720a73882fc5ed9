"""When a server's tools are listed next. A value and its rules; it knows no connection, no clock.

- A poll comes every `poll_s`. A server that says how long its list stays good (`ttlMs` of the
  2026-07-28 revision) is polled when that is over instead, though not more often than once a
  second and not less often than every ten `poll_s`. Polls are jittered by a tenth, later for
  `ttlMs`, so that many gateways do not ask at once.
- A change that the server tells of is read at once, after a blink in which more of the same may
  arrive.
- After a change the next list waits until the settle time is over. It is one second, and doubles,
  to thirty at most, with each change that comes within twice the settle time of the one before.
  So a server that flaps costs one catalog and one warning per settle time, one in thirty seconds
  in the end. Nothing is lost: what it lists then counts, only later.
- A server that listed tools and now lists none is asked again after two seconds, then four, and so
  on up to its poll: many have their tools only some time after a restart.
- A list that fails is asked for again after 0.4 seconds, then 0.8.

Who asks for a refresh waits for none of these, nor does the first list of a new connection, which
comes no faster than connections do.
"""

import math
from dataclasses import dataclass, replace

from gateway.toolsets.listing import Listing

DEBOUNCE_S = 0.05
FIRST_SETTLE_S, LAST_SETTLE_S = 1.0, 30.0
_MIN_TTL_S, _MAX_TTL_POLLS = 1.0, 10
_JITTER = 0.1
_RETRY_S = 0.2
_EMPTY_S = 1.0


@dataclass(frozen=True, slots=True)
class Pace:
    """Times are seconds; `at` is a moment of a steady clock."""

    poll_s: float
    ttl_s: float = 0.0
    changed_at: float = -math.inf
    settle_s: float = FIRST_SETTLE_S
    failures: int = 0
    """Lists that failed in a row."""
    empties: int = 0
    """Lists without a tool in a row, of a server that had some."""

    def listed(self, before: Listing | None, now: Listing, at: float) -> "Pace":
        """After a list that arrived whole."""
        gone = not now.tools and (self.empties > 0 or bool(before and before.tools))
        kept = replace(
            self, failures=0, ttl_s=now.ttl_s, empties=self.empties + 1 if gone else 0
        )  # fmt: skip
        if before is None or before == now:
            return kept
        restless = at - self.changed_at < 2 * self.settle_s
        settle_s = min(2 * self.settle_s, LAST_SETTLE_S) if restless else FIRST_SETTLE_S
        return replace(kept, changed_at=at, settle_s=settle_s)

    def failed(self) -> "Pace":
        """After a list that did not arrive."""
        return replace(self, failures=self.failures + 1)

    def poll_in(self, at: float, chance: float) -> float:
        """Seconds until the next list if nobody asks for it; `chance` (0 to 1) is the jitter."""
        if self.failures:
            return max(_RETRY_S * 2.0 ** min(self.failures, 10), self._settled_in(at))
        pause = self.poll_s * (1 + _JITTER * (2 * chance - 1))
        if self.ttl_s > 0:
            good = min(max(self.ttl_s, _MIN_TTL_S), _MAX_TTL_POLLS * self.poll_s)
            pause = good * (1 + _JITTER * chance)
        if self.empties:
            pause = min(pause, _EMPTY_S * 2.0 ** min(self.empties, 10))
        return max(pause, self._settled_in(at))

    def told_in(self, at: float) -> float:
        """Seconds from when the server tells of a change until it is listed."""
        return max(DEBOUNCE_S, self._settled_in(at))

    def _settled_in(self, at: float) -> float:
        return max(0.0, self.changed_at + self.settle_s - at)
