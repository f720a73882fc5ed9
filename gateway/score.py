"""Grade answers against rows: the figures of every report, pure and shared with training.

Denominators (k of n): valid over all rows; right tool over call rows; arguments over rows with
the right tool; exact outcome over all rows; false calls over no_tool rows; missed calls over call
rows; wrong calls over all rows; coverage over call rows. A no_tool row is exact if nothing was
called and the output was valid: an abstention is as good as no_tool there. Arguments are equal as
JSON, defaults never filled in; free text may match by token F1 of at least 0.5.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from gateway.types import Call, Outcome

FREE_TEXT = frozenset({"reason", "query"})
MIN_F1 = 0.5


@dataclass(frozen=True, slots=True)
class Grade:
    """How one answer compares to what was wanted."""

    wanted: bool
    called: bool
    valid: bool
    right_tool: bool
    right_arguments: bool

    @property
    def exact(self) -> bool:
        """Right outcome: the wanted calls, or none if none was wanted."""
        if self.wanted:
            return self.right_tool and self.right_arguments
        return self.valid and not self.called

    @property
    def wrong(self) -> bool:
        """A valid call that should not have been made like this: the dangerous kind."""
        return self.called and not self.exact


def grade(
    wanted: Sequence[Call],
    outcome: Outcome,
    calls: Sequence[Call],
    accept: Iterable[str] = (),
) -> Grade:
    """Grade one answer. `calls` is what was called, empty unless `outcome` is `call`.

    Several calls count as right in any order.
    """
    right_tool = bool(wanted) and Counter(c.tool for c in wanted) == Counter(c.tool for c in calls)
    free = FREE_TEXT | set(accept)
    return Grade(
        wanted=bool(wanted),
        called=outcome == "call",
        valid=outcome != "invalid",
        right_tool=right_tool,
        right_arguments=right_tool and _all_match(wanted, calls, free),
    )


def _all_match(wanted: Sequence[Call], calls: Sequence[Call], free: frozenset[str]) -> bool:
    """Whether each wanted call has a call of its own that equals it (a perfect matching)."""
    partner: dict[int, int] = {}

    def matched(want: int, tried: set[int]) -> bool:
        for index, call in enumerate(calls):
            fits = call.tool == wanted[want].tool and equal(
                wanted[want].arguments, call.arguments, free
            )
            if fits and index not in tried:
                tried.add(index)
                if index not in partner or matched(partner[index], tried):
                    partner[index] = want
                    return True
        return False

    return all(matched(want, set()) for want in range(len(wanted)))


def equal(wanted: Any, given: Any, free: frozenset[str] = FREE_TEXT, name: str = "") -> bool:
    """Equality as JSON (1 equals 1.0, true does not equal 1), free text by token F1."""
    if isinstance(wanted, dict) and isinstance(given, dict):
        left, right = cast(dict[str, Any], wanted), cast(dict[str, Any], given)
        return left.keys() == right.keys() and all(
            equal(left[key], right[key], free, key) for key in left
        )
    if isinstance(wanted, list) and isinstance(given, list):
        left_items, right_items = cast(list[Any], wanted), cast(list[Any], given)
        return len(left_items) == len(right_items) and all(
            equal(a, b, free, name) for a, b in zip(left_items, right_items, strict=True)
        )
    if isinstance(wanted, bool) or isinstance(given, bool):
        return wanted is given
    if isinstance(wanted, str) and isinstance(given, str) and name in free:
        return wanted == given or token_f1(wanted, given) >= MIN_F1
    return type(wanted) in (int, float, str, type(None)) and wanted == given


def token_f1(wanted: str, given: str) -> float:
    """F1 over words, case-insensitive, as multisets."""
    left, right = (Counter(re.findall(r"\w+", text.casefold())) for text in (wanted, given))
    common = (left & right).total()
    return 2 * common / (left.total() + right.total()) if common else 0.0


def rate(k: int, n: int) -> dict[str, Any]:
    """`{value, k, n, ci95}` with the Wilson score interval (Wilson 1927); no rows, no value."""
    if n == 0:
        return {"value": None, "k": 0, "n": 0, "ci95": None}
    z, p = 1.959963984540054, k / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    interval = [round(max(0.0, centre - half), 4), round(min(1.0, centre + half), 4)]
    return {"value": round(p, 4), "k": k, "n": n, "ci95": interval}


_SHARES: dict[str, tuple[Callable[[Grade], bool], Callable[[Grade], bool]]] = {
    "valid_tool_call_rate": (lambda g: g.valid, lambda g: True),
    "tool_name_accuracy": (lambda g: g.right_tool, lambda g: g.wanted),
    "argument_match_accuracy": (lambda g: g.right_arguments, lambda g: g.right_tool),
    "exact": (lambda g: g.exact, lambda g: True),
    "false_tool_call_rate": (lambda g: g.called, lambda g: not g.wanted),
    "missed_call_rate": (lambda g: not g.called, lambda g: g.wanted),
    "wrong_call_rate": (lambda g: g.wrong, lambda g: True),
    "coverage": (lambda g: g.called, lambda g: g.wanted),
}


def figures(grades: Sequence[Grade]) -> dict[str, Any]:
    """The eight figures of a report, and the tool-use lesson's four at its own denominators.

    Raises:
        ValueError: there are no rows; an evaluation of nothing is an error, not a zero.
    """
    if not grades:
        raise ValueError("no rows were graded")
    found: dict[str, Any] = {}
    for name, (hit, among) in _SHARES.items():
        chosen = [item for item in grades if among(item)]
        found[name] = rate(sum(map(hit, chosen)), len(chosen))
    return {**found, "lesson": _lesson(grades)}


def _lesson(grades: Sequence[Grade]) -> Mapping[str, Any]:
    """valid / all rows, right tool / all rows, argument match / valid outputs, false / all rows."""
    n, valid = len(grades), sum(item.valid for item in grades)
    right = sum(item.right_tool or (not item.wanted and item.exact) for item in grades)
    return {
        "valid_tool_call_rate": rate(valid, n),
        "tool_name_accuracy": rate(right, n),
        "argument_match_accuracy": rate(sum(item.exact for item in grades), valid),
        "false_tool_call_rate": rate(sum(item.called and not item.wanted for item in grades), n),
    }


def mcnemar(first: Sequence[Grade], second: Sequence[Grade]) -> dict[str, Any]:
    """Exact McNemar test of two systems' `exact` on the same rows (binomial, two-sided)."""
    pairs = list(zip(first, second, strict=True))
    only_first = sum(a.exact and not b.exact for a, b in pairs)
    only_second = sum(b.exact and not a.exact for a, b in pairs)
    n = only_first + only_second
    tail = sum(math.comb(n, i) for i in range(min(only_first, only_second) + 1))
    return {
        "only_first": only_first,
        "only_second": only_second,
        "p": min(1.0, 2 * tail / 2**n) if n else 1.0,
    }
