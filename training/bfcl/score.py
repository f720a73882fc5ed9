"""Figures of a BFCL run: per category, over all cases, and in the leaderboard's own sums.

The leaderboard (release 2026.3.23) takes the plain mean of the non-live categories with calls,
pools the live ones by their numbers of cases, takes the plain mean of both irrelevance categories,
and gives each of the three 10 of 100 points of its overall figure; relevance stands beside. The
other 70 points are for several turns and for agents, which are not run here; nor are Java and
JavaScript, which the leaderboard averages into its simple category. A sum whose categories were
not all run has no value; the leaderboard would count them as 0. Cases picked by their tools
(held-out ones) are another test than the leaderboard's, and give no sums at all.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

from gateway.score import rate
from training.bfcl.files import ANY_CALL, CATEGORIES, LIVE, NO_CALL, NON_LIVE
from training.bfcl.matching import Mismatch

_NON_LIVE_CALLS = tuple(name for name in NON_LIVE if name not in NO_CALL)
_LIVE_CALLS = tuple(name for name in LIVE if name not in NO_CALL | ANY_CALL)


@dataclass(frozen=True)
class Result:
    """How one case went. `valid`: readable, and every call allowed by the case's own schemas."""

    category: str
    mismatch: Mismatch | None
    valid: bool


def scores(results: Sequence[Result], *, held_out: bool = False) -> dict[str, Any]:
    """The figures, each `{value, k, n, ci95}` (Wilson) where cases are counted.

    `overall` is over all cases alike, `mean_of_categories` the plain mean over those that were
    run, `valid` the share of valid answers, `mismatches` how often each kind occurred. Results of
    `held_out` cases come without the leaderboard's sums.

    Raises:
        ValueError: there are no results.
    """
    if not results:
        raise ValueError("no cases were run")
    by_category = {
        name: _rate([result for result in results if result.category == name])
        for name in CATEGORIES
        if any(result.category == name for result in results)
    }
    shares = {name: found["k"] / found["n"] for name, found in by_category.items()}
    return {
        "categories": by_category,
        "overall": _rate(results),
        "mean_of_categories": round(mean(shares.values()), 4),
        "valid": rate(sum(result.valid for result in results), len(results)),
        "mismatches": dict(Counter(r.mismatch.kind for r in results if r.mismatch).most_common()),
        **({} if held_out else {"leaderboard": _leaderboard(shares, results)}),
    }


def _leaderboard(shares: Mapping[str, float], results: Sequence[Result]) -> dict[str, Any]:
    non_live = _mean(shares, _NON_LIVE_CALLS)
    irrelevance = _mean(shares, tuple(name for name in CATEGORIES if name in NO_CALL))
    pooled = _rate([result for result in results if result.category in _LIVE_CALLS])
    live = pooled["k"] / pooled["n"] if set(_LIVE_CALLS) <= shares.keys() else None
    parts = [non_live, live, irrelevance]
    single_turn = mean(part or 0.0 for part in parts) if None not in parts else None
    return {
        "non_live": _rounded(non_live),
        "live": _rounded(live),
        "irrelevance": _rounded(irrelevance),
        "relevance": _rounded(_mean(shares, tuple(ANY_CALL))),
        "single_turn": _rounded(single_turn),
    }


def _mean(shares: Mapping[str, float], names: Sequence[str]) -> float | None:
    return mean(shares[name] for name in names) if set(names) <= shares.keys() else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _rate(results: Sequence[Result]) -> dict[str, Any]:
    return rate(sum(result.mismatch is None for result in results), len(results))
