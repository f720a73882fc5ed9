"""Turn an answer's evidence into a confidence, and choose the threshold below which not to call.

Platt scaling (Platt 1999) with two scores instead of one: a logistic regression of "the answer is
right" on the log-probability of what was decided and of how free text is worded, fitted by
Newton's method on validation rows, with Platt's smoothed targets.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gateway.manifest import Calibration
from gateway.types import Evidence

_STEPS = 100
_RIDGE = 1e-6
_LEAST = -60.0
"""An answer less likely than this is as hopeless as any, and infinity would not be fitted."""

_Floats = NDArray[np.float64]


def fit(scored: Sequence[tuple[Evidence, bool]], n_rows: int, max_wrong_rate: float) -> Calibration:
    """Fit (evidence, was right) pairs of proposed calls.

    A likelier wording never makes an answer less sure: where the rows say so by chance, wording
    does not count. The threshold is the lowest that keeps wrong calls at or under
    `max_wrong_rate` of `n_rows`.

    Raises:
        ValueError: there are no pairs.
    """
    if not scored:
        raise ValueError("no proposed calls to calibrate on")
    scores = np.array([[max(_LEAST, e.decided), max(_LEAST, e.worded)] for e, _ in scored])
    right = np.array([ok for _, ok in scored])
    scale, free_text_scale, offset = _platt(scores, right)
    if free_text_scale < 0:
        free_text_scale = 0.0
        scale, offset = _platt(scores[:, :1], right)
    weights = Calibration(scale=scale, free_text_scale=free_text_scale, offset=offset, threshold=0)
    ranked = sorted(((weights.confidence(e), ok) for e, ok in scored), reverse=True)
    return weights.model_copy(update={"threshold": _threshold(ranked, max_wrong_rate * n_rows)})


def _threshold(ranked: Sequence[tuple[float, bool]], allowed: float) -> float:
    wrong = 0
    for confidence, right in ranked:
        wrong += not right
        if wrong > allowed:
            # Everything at this confidence and below is withheld.
            return min(1.0, round(confidence + 1e-4, 4))
    return 0.0


def auroc(scored: Sequence[tuple[float, bool]]) -> float | None:
    """Area under the ROC curve: the chance that a right answer scores above a wrong one."""
    right = [score for score, ok in scored if ok]
    wrong = [score for score, ok in scored if not ok]
    if not right or not wrong:
        return None
    above = sum((a > b) + 0.5 * (a == b) for a in right for b in wrong)
    return above / (len(right) * len(wrong))


def _platt(scores: _Floats, right: NDArray[np.bool_]) -> list[float]:
    """Weights of the columns of `scores`, then the offset."""
    positives, negatives = int(right.sum()), int((~right).sum())
    wanted = np.where(right, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    columns = np.hstack([scores, np.ones((len(scores), 1))])
    weights = np.zeros(columns.shape[1])
    weights[-1] = math.log((positives + 1) / (negatives + 1))
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(columns @ weights, -60, 60)))
        slope = columns.T @ (chance - wanted)
        curve = (columns * (chance * (1 - chance))[:, None]).T @ columns
        step = np.linalg.solve(curve + _RIDGE * np.eye(len(weights)), slope)
        weights -= step
        if np.abs(step).sum() < 1e-10:
            break
    return [float(weight) for weight in weights]
