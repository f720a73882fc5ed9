"""Confidence and threshold."""

import math
import random

import pytest

from gateway.types import Evidence
from training.calibrate import auroc, fit


def sample(n: int, seed: int = 3, free_text: float = 0.5) -> list[tuple[Evidence, bool]]:
    """Evidence whose chance of being right is a known logistic curve."""
    rng = random.Random(seed)
    found: list[tuple[Evidence, bool]] = []
    for _ in range(n):
        made = Evidence(-rng.expovariate(1.0), -rng.expovariate(0.5))
        score = 2.0 * made.decided + free_text * made.worded + 3.0
        found.append((made, rng.random() < 1 / (1 + math.exp(-score))))
    return found


def test_the_fit_finds_the_curve_that_made_the_data() -> None:
    calibration = fit(sample(20_000), 20_000, 1.0)
    assert calibration.scale == pytest.approx(2.0, abs=0.15)
    assert calibration.free_text_scale == pytest.approx(0.5, abs=0.05)
    assert calibration.offset == pytest.approx(3.0, abs=0.15)


def test_a_wording_that_counts_the_wrong_way_round_does_not_count() -> None:
    calibration = fit(sample(20_000, free_text=-0.5), 20_000, 1.0)
    assert calibration.free_text_scale == 0.0
    assert calibration.scale > 0.5


def test_the_confidence_is_the_share_of_right_answers() -> None:
    rows = sample(20_000)
    calibration = fit(rows, len(rows), 1.0)
    band = [ok for x, ok in sample(20_000, seed=4) if 0.85 <= calibration.confidence(x) < 0.9]
    assert sum(band) / len(band) == pytest.approx(0.875, abs=0.03)


def test_the_threshold_keeps_wrong_calls_under_the_rate_and_withholds_no_more() -> None:
    rows = sample(2_000)
    calibration = fit(rows, len(rows), 0.03)
    called = [ok for x, ok in rows if calibration.confidence(x) >= calibration.threshold]
    assert called.count(False) <= 0.03 * len(rows)
    assert called.count(False) >= 0.03 * len(rows) - 1


def test_a_rate_that_is_kept_anyway_needs_no_threshold() -> None:
    scored = [(Evidence(-0.1), True)] * 50 + [(Evidence(-2.0), False)]
    assert fit(scored, 100, 0.03).threshold == 0.0


def test_an_impossible_answer_is_fitted_like_a_hopeless_one() -> None:
    scored = [(Evidence(-0.1), True)] * 50 + [(Evidence(-math.inf), False)]
    assert math.isfinite(fit(scored, 100, 0.03).scale)


def test_all_right_answers_still_give_a_finite_curve() -> None:
    calibration = fit([(Evidence(-0.1 * i), True) for i in range(20)], 20, 0.03)
    assert math.isfinite(calibration.scale)
    assert calibration.confidence(Evidence(-0.1)) > 0.8


def test_nothing_to_fit_is_an_error() -> None:
    with pytest.raises(ValueError, match="no proposed calls"):
        fit([], 10, 0.03)


@pytest.mark.parametrize(
    ("scored", "expected"),
    [
        ([(0.9, True), (0.1, False)], 1.0),
        ([(0.1, True), (0.9, False)], 0.0),
        ([(0.5, True), (0.5, False)], 0.5),
        ([(0.9, True), (0.3, True), (0.5, False)], 0.5),
        ([(0.9, True)], None),
    ],
)
def test_auroc_counts_pairs(scored: list[tuple[float, bool]], expected: float | None) -> None:
    assert auroc(scored) == expected
