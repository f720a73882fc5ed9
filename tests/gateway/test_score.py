"""Grades and figures, computed by hand."""

import random
from typing import Any

import pytest

from gateway.score import Grade, equal, figures, grade, mcnemar, rate, token_f1
from gateway.types import Call, Outcome

TRACK = Call("track", {"id": "A"})
OTHER = Call("track", {"id": "B"})
CANCEL = Call("cancel", {"id": "A"})


def graded(wanted: list[Call], outcome: Outcome, calls: list[Call]) -> Grade:
    return grade(wanted, outcome, calls)


@pytest.mark.parametrize(
    ("wanted", "outcome", "calls", "flags"),
    [
        # wanted, outcome, calls, (valid, right tool, right arguments, exact, wrong)
        ([TRACK], "call", [TRACK], (True, True, True, True, False)),
        ([TRACK], "call", [OTHER], (True, True, False, False, True)),
        ([TRACK], "call", [CANCEL], (True, False, False, False, True)),
        ([TRACK], "call", [TRACK, TRACK], (True, False, False, False, True)),
        ([TRACK], "no_tool", [], (True, False, False, False, False)),
        ([TRACK], "abstained", [], (True, False, False, False, False)),
        ([TRACK], "invalid", [], (False, False, False, False, False)),
        ([], "no_tool", [], (True, False, False, True, False)),
        ([], "abstained", [], (True, False, False, True, False)),
        ([], "invalid", [], (False, False, False, False, False)),
        ([], "call", [TRACK], (True, False, False, False, True)),
        ([TRACK, CANCEL], "call", [CANCEL, TRACK], (True, True, True, True, False)),
        ([TRACK, OTHER], "call", [OTHER, TRACK], (True, True, True, True, False)),
        ([TRACK, TRACK], "call", [TRACK, OTHER], (True, True, False, False, True)),
        ([TRACK, CANCEL], "call", [TRACK], (True, False, False, False, True)),
    ],
)
def test_one_answer_is_graded(
    wanted: list[Call], outcome: Outcome, calls: list[Call], flags: tuple[bool, ...]
):
    one = graded(wanted, outcome, calls)
    found = (one.valid, one.right_tool, one.right_arguments, one.exact, one.wrong)
    assert found == flags
    assert one.wanted == bool(wanted)
    assert one.called == (outcome == "call")


def test_grading_leaves_its_input_as_it_is():
    wanted, calls = [TRACK, CANCEL], [CANCEL, TRACK]
    graded(wanted, "call", calls)
    assert (wanted, calls) == ([TRACK, CANCEL], [CANCEL, TRACK])


@pytest.mark.parametrize("seed", range(5))
def test_several_calls_match_whatever_their_order_and_free_text(seed: int):
    wanted = [Call("t", {"reason": text}) for text in ("a b", "a c", "c d", "d e f")]
    given = [Call("t", {"reason": text}) for text in ("a c", "a b", "d e f", "c d")]
    random.Random(seed).shuffle(given)
    assert grade(wanted, "call", given).exact


def test_a_near_match_does_not_take_the_partner_of_an_exact_one():
    # "a b" fits both, "a b c d" only the second wanted text is near enough to.
    wanted = [Call("t", {"reason": "a b c d"}), Call("t", {"reason": "a b"})]
    given = [Call("t", {"reason": "a b"}), Call("t", {"reason": "a b c d e f g"})]
    assert token_f1("a b", "a b c d e f g") < 0.5
    assert grade(wanted, "call", given).exact


@pytest.mark.parametrize(
    ("wanted", "given", "same"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        (True, True, True),
        (None, None, True),
        (None, 0, False),
        (None, "", False),
        ("1", 1, False),
        ("a", "A", False),
        ([], {}, False),
        ([1, 2], [2, 1], False),
        ([1], [1, 1], False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": 1}, {"a": 1, "limit": 10}, False),
        ({"a": None}, {}, False),
        ({"a": {"b": [True]}}, {"a": {"b": [1]}}, False),
        (0.1 + 0.2, 0.3, False),
        ({"reason": "it is broken"}, {"reason": "it is broken in two"}, True),
        ({"reason": "it is broken"}, {"reason": "late"}, False),
        ({"reason": "!"}, {"reason": "!"}, True),
        ({"reason": "!"}, {"reason": "?"}, False),
        ({"note": "it is broken"}, {"note": "it is broken in two"}, False),
        ({"query": ["blue mug"]}, {"query": ["the blue mug"]}, True),
        ({"reason": {"code": "a b"}}, {"reason": {"code": "a b c"}}, False),
        ({"reason": 1}, {"reason": "1"}, False),
    ],
)
def test_equality_is_that_of_json_but_for_free_text(wanted: Any, given: Any, same: bool):
    assert equal(wanted, given) is same
    assert equal(given, wanted) is same


def test_a_row_may_accept_other_names_as_free_text():
    want, call = [Call("t", {"note": "it is broken"})], [Call("t", {"note": "it is broken now"})]
    assert not grade(want, "call", call).exact
    assert grade(want, "call", call, accept=["note"]).exact


@pytest.mark.parametrize(
    ("left", "right", "f1"),
    [
        ("a b c", "a b c", 1.0),
        ("A, b!", "a b", 1.0),
        ("a b", "a c", 0.5),
        ("a a b", "a b b", 2 / 3),
        ("a", "a b c", 0.5),
        ("a", "a b c d", 0.4),
        ("a", "b", 0.0),
        ("", "", 0.0),
        ("Größe", "größe", 1.0),
    ],
)
def test_token_f1(left: str, right: str, f1: float):
    assert token_f1(left, right) == pytest.approx(f1)
    assert token_f1(right, left) == pytest.approx(f1)


@pytest.mark.parametrize(
    ("k", "n", "interval"),
    [
        # Newcombe (1998), table I, method 3: the Wilson score intervals to four decimals.
        (81, 263, [0.2553, 0.3662]),
        (15, 148, [0.0624, 0.1605]),
        (0, 20, [0.0, 0.1611]),
        (1, 29, [0.0061, 0.1718]),
        (29, 29, [0.8830, 1.0]),
    ],
)
def test_wilson_intervals_are_those_of_the_literature(k: int, n: int, interval: list[float]):
    assert rate(k, n) == {"value": round(k / n, 4), "k": k, "n": n, "ci95": interval}


def test_a_share_of_nothing_has_no_value():
    assert rate(0, 0) == {"value": None, "k": 0, "n": 0, "ci95": None}


def test_the_figures_use_the_denominators_of_the_report():
    grades = [
        graded([TRACK], "call", [TRACK]),
        graded([TRACK], "call", [TRACK]),
        graded([TRACK], "call", [OTHER]),
        graded([TRACK], "call", [CANCEL]),
        graded([TRACK], "no_tool", []),
        graded([TRACK], "abstained", []),
        graded([TRACK], "invalid", []),
        graded([], "no_tool", []),
        graded([], "call", [TRACK]),
        graded([], "invalid", []),
    ]
    found = figures(grades)
    lesson = found.pop("lesson")
    assert {name: (share["k"], share["n"]) for name, share in found.items()} == {
        "valid_tool_call_rate": (8, 10),
        "tool_name_accuracy": (3, 7),
        "argument_match_accuracy": (2, 3),
        "exact": (3, 10),
        "false_tool_call_rate": (1, 3),
        "missed_call_rate": (3, 7),
        "wrong_call_rate": (3, 10),
        "coverage": (4, 7),
    }
    assert {name: (share["k"], share["n"]) for name, share in lesson.items()} == {
        "valid_tool_call_rate": (8, 10),
        "tool_name_accuracy": (4, 10),
        "argument_match_accuracy": (3, 8),
        "false_tool_call_rate": (1, 10),
    }
    assert found["exact"] == rate(3, 10)


def test_figures_without_rows_of_a_kind_have_no_value_there():
    found = figures([graded([TRACK], "call", [TRACK])])
    assert found["false_tool_call_rate"]["value"] is None
    assert found["exact"]["value"] == 1.0


def test_an_evaluation_of_zero_rows_is_an_error():
    with pytest.raises(ValueError, match="no rows"):
        figures([])


def pairs(both: int, first: int, second: int, neither: int) -> tuple[list[Grade], list[Grade]]:
    right, wrong = graded([TRACK], "call", [TRACK]), graded([TRACK], "call", [OTHER])
    left = [right] * (both + first) + [wrong] * (second + neither)
    return left, [right] * both + [wrong] * first + [right] * second + [wrong] * neither


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [
        # two-sided binomial test of `first` successes in `first + second` trials at 1/2
        (0, 0, 1.0),
        (1, 0, 1.0),
        (5, 0, 0.0625),
        (0, 6, 0.03125),
        (1, 9, 0.021484375),
        (2, 8, 0.109375),
        (5, 5, 1.0),
        (5, 15, 0.04138946533203125),
    ],
)
def test_mcnemar_gives_the_known_values(first: int, second: int, p: float):
    found = mcnemar(*pairs(7, first, second, 3))
    assert (found["only_first"], found["only_second"]) == (first, second)
    assert found["p"] == pytest.approx(p)
    assert mcnemar(*pairs(7, second, first, 3))["p"] == pytest.approx(p)


def test_mcnemar_of_thousands_of_rows_does_not_overflow():
    found = mcnemar(*pairs(0, 3_000, 2_000, 0))
    assert 0 <= found["p"] < 1e-40


def test_mcnemar_needs_the_same_rows():
    right, _ = pairs(2, 0, 0, 0)
    with pytest.raises(ValueError, match="shorter"):
        mcnemar(right, right[:1])
