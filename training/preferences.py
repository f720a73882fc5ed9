"""Preference pairs from near misses: for a request, its own answer over a tempting wrong one.

Two sorts of temptation, both met in silent failures:

- the answer of the most similar request that wants another tool or none, so that a request which
  only looks like a refund learns not to be one (the idea of When2Call, Ross et al. 2025);
- the right call without an argument that the request states.

Pure functions; the second stage of training (`training.dpo`) is above.
"""

import math
import random
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.types import Toolset
from training.rows import Row

_COMMON = 0.05
"""A word in more than this share of the rows says nothing about what a row is like."""


@dataclass(frozen=True)
class Preference:
    """A row whose own target is to be preferred to `rejected`, an answer of the same form."""

    row: Row
    rejected: Mapping[str, Any]


def preferences(
    rows: Sequence[Row], toolset: Toolset, n: int, seed: int, no_tool_share: float = 0.5
) -> list[Preference]:
    """At most `n` pairs, `no_tool_share` of them for rows that want no call; in random order."""
    rng = random.Random(seed)
    near = _Neighbours(rows)
    wanted = {False: round(n * no_tool_share), True: n - round(n * no_tool_share)}
    chosen: list[Preference] = []
    for number in rng.sample(range(len(rows)), len(rows)):
        row = rows[number]
        if wanted[bool(row.calls)] == 0:
            continue
        rejected = _incomplete(row, toolset, rng) if rng.random() < 0.5 else None
        rejected = rejected or near.other_answer(number)
        if rejected is not None:
            chosen.append(Preference(row, rejected))
            wanted[bool(row.calls)] -= 1
    return chosen


def _incomplete(row: Row, toolset: Toolset, rng: random.Random) -> Mapping[str, Any] | None:
    """The row's only call without one of its optional arguments; None if it has none."""
    if len(row.calls) != 1:
        return None
    (call,) = row.calls
    required = toolset.by_name[call.tool].input_schema.get("required") or ()
    optional = [name for name in call.arguments if name not in required]
    if not optional:
        return None
    dropped = rng.choice(optional)
    return {
        "tool": call.tool,
        "arguments": {name: value for name, value in call.arguments.items() if name != dropped},
    }


class _Neighbours:
    """Finds the row most similar in words, weighted by how rare they are (TF-IDF cosine)."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        self._words = [Counter(_words(row.text)) for row in rows]
        holders: dict[str, list[int]] = defaultdict(list)
        for number, words in enumerate(self._words):
            for word in words:
                holders[word].append(number)
        limit = max(2, _COMMON * len(rows))
        self._holders = {word: held for word, held in holders.items() if 1 < len(held) <= limit}
        self._weights = {w: math.log(len(rows) / len(h)) ** 2 for w, h in self._holders.items()}
        self._norms = [
            math.sqrt(sum(self._weights.get(word, 0.0) for word in words)) or 1.0
            for words in self._words
        ]

    def other_answer(self, number: int) -> Mapping[str, Any] | None:
        """The target of the nearest row with another outcome; None if no row is like this one."""
        scores: Counter[int] = Counter()
        for word in self._words[number]:
            for other in self._holders.get(word, ()):
                scores[other] += self._weights[word] / self._norms[other]  # pyright: ignore[reportArgumentType]
        mine = _outcome(self._rows[number])
        others = [other for other in scores if _outcome(self._rows[other]) != mine]
        best = max(others, key=lambda other: (scores[other], -other), default=None)
        return None if best is None else self._rows[best].target


def _outcome(row: Row) -> tuple[str, ...]:
    return tuple(sorted(call.tool for call in row.calls))


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]{2,}", text.casefold())
