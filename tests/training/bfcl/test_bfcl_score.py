"""The figures of a BFCL run: over cases, and as the leaderboard sums them up."""

import pytest

from training.bfcl.files import CATEGORIES
from training.bfcl.matching import Mismatch
from training.bfcl.score import Result, scores


def results(category: str, right: int, wrong: int) -> list[Result]:
    mismatch = Mismatch("value", "a is 1")
    return [Result(category, None, True)] * right + [Result(category, mismatch, False)] * wrong


def test_each_category_and_all_cases_are_counted():
    found = scores([*results("multiple", 3, 1), *results("simple_python", 1, 0)])
    assert list(found["categories"]) == ["simple_python", "multiple"]
    assert (found["categories"]["multiple"]["k"], found["categories"]["multiple"]["n"]) == (3, 4)
    low, high = found["categories"]["multiple"]["ci95"]
    assert 0 < low < 0.75 < high < 1
    assert (found["overall"]["k"], found["overall"]["n"]) == (4, 5)
    assert found["mean_of_categories"] == 0.875
    assert (found["valid"]["k"], found["valid"]["n"]) == (4, 5)
    assert found["mismatches"] == {"value": 1}


def test_the_leaderboard_takes_means_for_non_live_and_irrelevance_and_pools_the_live_ones():
    shares = {
        "simple_python": (9, 1), "multiple": (1, 1), "parallel": (1, 1),
        "parallel_multiple": (0, 4), "irrelevance": (1, 0), "live_simple": (0, 8),
        "live_multiple": (1, 0), "live_parallel": (1, 0), "live_parallel_multiple": (0, 0 + 6),
        "live_irrelevance": (1, 3), "live_relevance": (2, 2),
    }  # fmt: skip
    found = scores([item for name, (k, w) in shares.items() for item in results(name, k, w)])
    assert set(found["categories"]) == set(CATEGORIES)
    assert found["leaderboard"] == {
        "non_live": 0.475,
        "live": 0.125,
        "irrelevance": 0.625,
        "relevance": 0.5,
        "single_turn": 0.4083,
    }


def test_a_sum_whose_categories_were_not_all_run_has_no_value():
    found = scores([*results("live_simple", 1, 0), *results("live_relevance", 0, 1)])
    assert found["leaderboard"] == {
        "non_live": None,
        "live": None,
        "irrelevance": None,
        "relevance": 0.0,
        "single_turn": None,
    }


def test_no_results_are_an_error_and_not_a_zero():
    with pytest.raises(ValueError, match="no cases"):
        scores([])
