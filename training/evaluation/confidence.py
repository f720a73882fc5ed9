"""What the confidence is worth: selective risk, and whether it means what it says. Pure.

Only answers that pass every check with the threshold off take part: those that nothing but the
threshold could withhold. Sources of the formulas:

- risk-coverage curve: El-Yaniv and Wiener, "On the Foundations of Noise-free Selective
  Classification", JMLR 11 (2010);
- area under it (AURC) and under the best one: Geifman, Uziel and El-Yaniv, "Bias-Reduced
  Uncertainty Estimation for Deep Neural Classifiers", ICLR 2019;
- expected calibration error over bins of equal width: Guo, Pleiss, Sun and Weinberger, "On
  Calibration of Modern Neural Networks", ICML 2017.
"""

import statistics
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from gateway.score import rate
from gateway.types import Evidence
from training.calibrate import auroc
from training.evaluation.answers import Answer

MAX_POINTS = 100
BINS = 10


def proposals(found: Sequence[Answer]) -> list[tuple[Evidence, bool]]:
    """(evidence, was right) of every call that only the threshold could withhold."""
    return [
        (a.route.evidence, a.grade().exact)
        for a in found
        if a.route.evidence is not None and a.decision(0.0).outcome == "call"
    ]


def separation(found: Sequence[Answer]) -> float | None:
    """Area under the ROC curve of the confidence; None if all calls were right, or none."""
    value = auroc([(confidence, answer.grade().exact) for confidence, answer in _ranked(found)])
    return None if value is None else round(value, 4)


def risk_coverage(found: Sequence[Answer]) -> dict[str, Any]:
    """What each threshold would call, and how much of it is wrong.

    `points`, highest threshold first: `threshold` (0 to 1, as it would stand in the manifest),
    `called` rows, `coverage` over call rows, `wrong_call_rate` over all rows, `false_call_rate`
    over no_tool rows; at most 100, the first and the last among them. `aurc` is the mean, over
    the `n` called answers from the surest on, of the share that is wrong so far; `aurc_random`
    and `aurc_best` are what a random and a perfect order of the same answers have.
    """
    ranked = _ranked(found)
    n_calls = sum(bool(answer.row.calls) for answer in found)
    points: list[dict[str, Any]] = []
    called = covered = wrong = 0
    for threshold, tied in groupby(ranked, key=lambda pair: pair[0]):
        for _, answer in tied:
            called += 1
            covered += bool(answer.row.calls)
            wrong += answer.grade().wrong
        points.append(
            {
                "threshold": threshold,
                "called": called,
                "coverage": rate(covered, n_calls)["value"],
                "wrong_call_rate": rate(wrong, len(found))["value"],
                "false_call_rate": rate(called - covered, len(found) - n_calls)["value"],
            }
        )
    outcomes = [(confidence, answer.grade().wrong) for confidence, answer in ranked]
    return {
        "points": _thinned(points),
        "aurc": aurc(outcomes),
        "aurc_random": aurc([(0.0, is_wrong) for _, is_wrong in outcomes]),
        "aurc_best": aurc([(float(not is_wrong), is_wrong) for _, is_wrong in outcomes]),
        "n": len(ranked),
    }


def aurc(scored: Sequence[tuple[float, bool]]) -> float | None:
    """Area under the risk-coverage curve of (confidence, was wrong); None without any.

    The mean over k of the share of wrong ones among the k surest. Among ties every order is
    equally likely, so the value does not depend on the order of the rows.
    """
    if not scored:
        return None
    total, before, wrong_before = 0.0, 0, 0
    ranked = sorted(scored, key=lambda pair: -pair[0])
    for _, group in groupby(ranked, key=lambda pair: pair[0]):
        tied = [is_wrong for _, is_wrong in group]
        share = sum(tied) / len(tied)
        total += sum((wrong_before + share * j) / (before + j) for j in range(1, len(tied) + 1))
        before, wrong_before = before + len(tied), wrong_before + sum(tied)
    return round(total / len(scored), 4)


def reliability(found: Sequence[Answer]) -> dict[str, Any]:
    """Confidence against accuracy, in ten bins of equal width.

    `bins`: `low` and `high` (a confidence of exactly `low` is in it), `n`, the mean `confidence`,
    and `accuracy` as `{value, k, n, ci95}`. `expected_calibration_error` is the mean distance of
    the two, weighted by n; None if nothing was called.
    """
    ranked = _ranked(found)
    bins: list[dict[str, Any]] = []
    distance = 0.0
    for index in range(BINS):
        inside = [pair for pair in ranked if min(BINS - 1, int(pair[0] * BINS)) == index]
        right = sum(answer.grade().exact for _, answer in inside)
        mean = statistics.mean(c for c, _ in inside) if inside else None
        distance += abs(right - mean * len(inside)) if mean is not None else 0.0
        bins.append(
            {
                "low": index / BINS,
                "high": (index + 1) / BINS,
                "n": len(inside),
                "confidence": None if mean is None else round(mean, 4),
                "accuracy": rate(right, len(inside)),
            }
        )
    error = round(distance / len(ranked), 4) if ranked else None
    return {"bins": bins, "expected_calibration_error": error}


def _ranked(found: Sequence[Answer]) -> list[tuple[float, Answer]]:
    """(confidence, answer) of what was called, the surest first."""
    scored = [
        (answer.route.confidence, answer)
        for answer in found
        if answer.route.confidence is not None and answer.decision(0.0).outcome == "call"
    ]
    return sorted(scored, key=lambda pair: -pair[0])


def _thinned(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if len(points) <= MAX_POINTS:
        return points
    last = len(points) - 1
    return [points[round(i * last / (MAX_POINTS - 1))] for i in range(MAX_POINTS)]
