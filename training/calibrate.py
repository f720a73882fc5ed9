"""Turn log-probabilities into a confidence, and choose the threshold below which not to call.

Platt scaling (Platt 1999): a logistic regression of "the answer is right" on the answer's
log-probability, fitted by Newton's method on validation rows, with Platt's smoothed targets.
"""

import math
from collections.abc import Sequence

from gateway.manifest import Calibration

_STEPS = 100
_RIDGE = 1e-6


def fit(scored: Sequence[tuple[float, bool]], n_rows: int, max_wrong_rate: float) -> Calibration:
    """Fit (log-probability, was right) pairs of proposed calls.

    The threshold is the lowest that keeps wrong calls at or under `max_wrong_rate` of `n_rows`.

    Raises:
        ValueError: there are no pairs.
    """
    if not scored:
        raise ValueError("no proposed calls to calibrate on")
    scale, offset = _platt(scored)
    fitted = Calibration(scale=scale, offset=offset, threshold=0.0)
    ranked = sorted(((fitted.confidence(x), right) for x, right in scored), reverse=True)
    allowed = max_wrong_rate * n_rows
    threshold, wrong = 0.0, 0
    for confidence, right in ranked:
        wrong += not right
        if wrong > allowed:
            # Everything at this confidence and below is withheld.
            threshold = min(1.0, round(confidence + 1e-4, 4))
            break
    return Calibration(scale=scale, offset=offset, threshold=threshold)


def auroc(scored: Sequence[tuple[float, bool]]) -> float | None:
    """Area under the ROC curve: the chance that a right answer scores above a wrong one."""
    right = [score for score, ok in scored if ok]
    wrong = [score for score, ok in scored if not ok]
    if not right or not wrong:
        return None
    above = sum((a > b) + 0.5 * (a == b) for a in right for b in wrong)
    return above / (len(right) * len(wrong))


def _platt(scored: Sequence[tuple[float, bool]]) -> tuple[float, float]:
    positives = sum(right for _, right in scored)
    negatives = len(scored) - positives
    high, low = (positives + 1) / (positives + 2), 1 / (negatives + 2)
    scale, offset = 0.0, math.log((positives + 1) / (negatives + 1))
    for _ in range(_STEPS):
        g_scale = g_offset = h_ss = h_so = h_oo = 0.0
        for x, right in scored:
            p = 1 / (1 + math.exp(-max(-60.0, min(60.0, scale * x + offset))))
            error, weight = p - (high if right else low), p * (1 - p)
            g_scale += error * x
            g_offset += error
            h_ss += weight * x * x
            h_so += weight * x
            h_oo += weight
        h_ss, h_oo = h_ss + _RIDGE, h_oo + _RIDGE
        determinant = h_ss * h_oo - h_so * h_so
        step_scale = (h_oo * g_scale - h_so * g_offset) / determinant
        step_offset = (h_ss * g_offset - h_so * g_scale) / determinant
        scale, offset = scale - step_scale, offset - step_offset
        if abs(step_scale) + abs(step_offset) < 1e-10:
            break
    return scale, offset
