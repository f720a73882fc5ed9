"""Risk and coverage, and whether a confidence means what it says."""

import random
from itertools import permutations

import pytest

from gateway.score import figures
from tests.training.evaluation.samples import NO_TOOL, answer, cancel, track
from training.evaluation.answers import Answer
from training.evaluation.confidence import MAX_POINTS, aurc, reliability, risk_coverage


def mixed(n: int, seed: int = 3) -> list[Answer]:
    """Answers of all sorts with confidences of one to four digits."""
    rng = random.Random(seed)
    wanted = (track(), cancel(), NO_TOOL)
    proposed = ((track(),), (cancel(),), (track("ORD-5678"),), (track("ORD-9999"),), ())
    return [
        answer(rng.choice(wanted), *rng.choice(proposed), confidence=round(rng.random(), d))
        for d in (rng.randint(1, 4) for _ in range(n))
    ]


def test_each_point_is_what_the_gateway_would_do_at_that_threshold() -> None:
    found = mixed(60)
    points = risk_coverage(found)["points"]
    assert len(points) > 10
    for point in points:
        at = figures([a.grade(point["threshold"]) for a in found])
        for point_name, figure in (
            ("coverage", "coverage"),
            ("wrong_call_rate", "wrong_call_rate"),
            ("false_call_rate", "false_tool_call_rate"),
        ):
            assert point[point_name] == at[figure]["value"]


def test_equal_confidences_are_one_point() -> None:
    found = [answer(track(), track(), confidence=0.5) for _ in range(4)]
    (point,) = risk_coverage(found)["points"]
    assert (point["threshold"], point["called"], point["coverage"]) == (0.5, 4, 1.0)
    assert point["false_call_rate"] is None


def test_thinning_keeps_both_ends_and_the_order() -> None:
    found = [answer(track(), track(), confidence=i / 1000) for i in range(1000)]
    points = risk_coverage(found)["points"]
    thresholds = [point["threshold"] for point in points]
    assert len(points) == MAX_POINTS
    assert (thresholds[0], thresholds[-1]) == (0.999, 0.0)
    assert thresholds == sorted(set(thresholds), reverse=True)


def test_what_a_check_withholds_and_no_tool_have_no_part_in_it() -> None:
    found = [
        answer(track(), track("ORD-9999"), confidence=0.9),
        answer(track(), confidence=0.9),
        answer(NO_TOOL, confidence=0.9),
    ]
    assert risk_coverage(found) == {
        "points": [], "aurc": None, "aurc_random": None, "aurc_best": None, "n": 0,
    }  # fmt: skip
    assert reliability(found)["expected_calibration_error"] is None


def test_the_area_is_the_mean_risk_over_the_surest_answers() -> None:
    # By hand: risks 0/1, 1/2, 1/3, 2/4.
    assert aurc([(0.9, False), (0.8, True), (0.7, False), (0.1, True)]) == round(4 / 3 / 4, 4)
    assert aurc([(0.9, False), (0.2, True)]) == 0.25
    assert aurc([(0.9, True), (0.2, False)]) == 0.75
    assert aurc([]) is None


def test_ties_count_as_the_mean_over_all_their_orders() -> None:
    tied = [False, True, True, False]
    orders = list(permutations(tied))
    areas = [aurc([(-i, wrong) for i, wrong in enumerate(order)]) or 0.0 for order in orders]
    expected = sum(areas) / len(areas)
    assert aurc([(0.5, wrong) for wrong in tied]) == pytest.approx(expected, abs=1e-4)


def test_no_order_beats_the_best_and_a_random_one_has_the_share_that_is_wrong() -> None:
    curve = risk_coverage(mixed(200))
    assert curve["aurc_best"] <= curve["aurc"]
    right = [answer(track(), track(), confidence=0.9), answer(track(), cancel(), confidence=0.1)]
    perfect = risk_coverage(right)
    assert (perfect["aurc"], perfect["aurc_best"], perfect["aurc_random"]) == (0.25, 0.25, 0.5)


def test_calls_fall_into_ten_bins_of_equal_width() -> None:
    found = [
        answer(track(), track(), confidence=1.0),
        answer(track(), track(), confidence=0.9),
        answer(track(), cancel(), confidence=0.95),
        answer(track(), cancel(), confidence=0.0),
    ]
    bins = reliability(found)["bins"]
    assert len(bins) == 10
    assert [(item["low"], item["n"]) for item in bins if item["n"]] == [(0.0, 1), (0.9, 3)]
    assert bins[9]["confidence"] == 0.95
    assert (bins[9]["accuracy"]["k"], bins[9]["accuracy"]["n"]) == (2, 3)
    assert bins[5] == {
        "low": 0.5, "high": 0.6, "n": 0, "confidence": None,
        "accuracy": {"value": None, "k": 0, "n": 0, "ci95": None},
    }  # fmt: skip


def test_the_calibration_error_is_the_mean_distance_weighted_by_n() -> None:
    found = [answer(track(), track(), confidence=0.75) for _ in range(3)]
    found += [answer(track(), cancel(), confidence=0.75), answer(track(), cancel(), confidence=0.5)]
    # Four calls where 0.75 is right on average, one at 0.5 that is wrong.
    assert reliability(found)["expected_calibration_error"] == 0.1
