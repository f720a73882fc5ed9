"""BFCL's comparison: each rule of the benchmark, shown where it holds and where it ends.

Every verdict here is the one that the benchmark's own checker gives (release 2026.3.23).
"""

from typing import Any

import pytest

from gateway.types import Call
from tests.training.bfcl.samples import function
from training.bfcl.matching import Expected, calls_mismatch, relevance_mismatch


def kind(declared: Any, accepted: list[Any], *given: Any) -> str | None:
    """How a call with the optional argument `a` set to `given` (or left out) goes wrong."""
    arguments = {"a": given[0]} if given else {}
    found = calls_mismatch(
        [function("f", a=declared)], [Expected("f", {"a": accepted})], [Call("f", arguments)]
    )
    return found.kind if found else None


def list_of(items: str) -> dict[str, Any]:
    return {"type": "array", "items": {"type": items}}


@pytest.mark.parametrize(
    "given", ["New York, NY", "new york ny", "NEW-YORK.NY", "New_York/NY", "*New York^NY*"]
)
def test_a_text_matches_without_case_blanks_and_light_punctuation(given: str):
    assert kind("string", ["New York, NY"], given) is None


@pytest.mark.parametrize("given", ["New York", "New York; NY", "New\nYork, NY", "", "Néw York, NY"])
def test_any_other_difference_in_a_text_counts(given: str):
    assert kind("string", ["New York, NY"], given) == "value"


def test_a_text_may_be_quoted_either_way():
    assert kind("string", ["it's"], 'it"s') is None


def test_each_accepted_value_will_do():
    assert kind("string", ["NYC", "New York"], "new york") is None
    assert kind("integer", [3, 4], 4) is None
    assert kind("integer", [3, 4], 5) == "value"


def test_an_argument_may_be_left_out_only_if_the_empty_text_is_accepted():
    assert kind("integer", [3, ""]) is None
    assert kind("integer", [3]) == "missing"


def test_an_empty_text_is_a_value_where_it_is_accepted():
    assert kind("string", ["x", ""], "") is None
    assert kind("string", ["x", ""], " - ") is None
    assert kind("integer", [3, ""], "") == "type"


def test_a_required_argument_is_given_even_if_the_answer_lets_it_be_left_out():
    found = calls_mismatch(
        [function("f", "a", a="integer")], [Expected("f", {"a": [3, ""]})], [Call("f", {})]
    )
    assert found is not None
    assert str(found) == "missing: a is required"


@pytest.mark.parametrize(
    ("declared", "accepted", "given", "wrong"),
    [
        ("float", [5], 5, None),
        ("float", [5.0], 5, None),
        ("float", [5], 5.0, None),
        ("float", [0.1], 0.1000001, "value"),
        ("float", [5.0], "5", "type"),
        ("float", [1.0], True, "type"),
        ("integer", [5], 5.0, "type"),
        ("integer", [5], "5", "type"),
        ("integer", [1], True, "type"),
        ("boolean", [True], 1, "type"),
        ("boolean", [True], "true", "type"),
        ("boolean", [True], False, "value"),
        ("string", ["5"], 5, "type"),
        ("string", ["x"], None, "type"),
        ("any", ["x"], "X", None),
    ],
)
def test_types_are_exact_but_an_integer_passes_for_a_float(
    declared: str, accepted: list[Any], given: Any, wrong: str | None
):
    assert kind(declared, accepted, given) == wrong


@pytest.mark.parametrize(
    ("declared", "accepted", "given", "wrong"),
    [
        ("any", [5], 5, None),
        ("any", [5], "5", "value"),
        ("integer", ["dontcare"], "dontcare", None),
        ("integer", ["dontcare"], "Dontcare", "value"),
        ("integer", ["dontcare"], 5, "value"),
        ("string", ["", None], None, None),
        ("string", ["", None], "x", "value"),
        (list_of("float"), ["data['x']"], "data['x']", None),
        (list_of("float"), ["data['x']"], 'data["x"]', "value"),
        (list_of("float"), ["data['x']"], [1.0], "value"),
        ("dict", ["options"], "options", None),
        ("dict", ["options"], {}, "value"),
    ],
)
def test_accepted_values_of_another_type_bring_that_type_and_are_compared_as_they_are(
    declared: Any, accepted: list[Any], given: Any, wrong: str | None
):
    assert kind(declared, accepted, given) == wrong


@pytest.mark.parametrize(
    ("items", "accepted", "given", "wrong"),
    [
        ("integer", [[1, 2]], [1, 2], None),
        ("integer", [[1, 2]], [2, 1], "value"),
        ("integer", [[1, 2], [2, 1]], [2, 1], None),
        ("integer", [[1, 2]], [1], "value"),
        ("integer", [[1, 2]], [1, 2.0], "type"),
        ("float", [[1.0, 2.0]], [1, 2], "type"),
        ("float", [[1, 2.0]], [1, 2], None),
        ("float", [[1.0]], "1.0", "type"),
        ("string", [["New York", "LA"]], ["new york", "l.a."], None),
        ("string", [["x"]], [1], "type"),
        ("string", [["x"]], [None], "type"),
        ("string", [["x"], ""], [], None),
        ("string", [["x"]], [], "value"),
        ("string", [["x"], ""], [1], "value"),
        ("array", [[["New York"]]], [["New York"]], None),
        ("array", [[["New York"]]], [["new york"]], "value"),
    ],
)
def test_lists_are_compared_in_order_item_by_item(
    items: str, accepted: list[Any], given: Any, wrong: str | None
):
    assert kind(list_of(items), accepted, given) == wrong


def test_a_tuple_is_a_list():
    pair = {"type": "tuple", "items": {"type": "float"}}
    assert kind(pair, [[1.5, 2.5]], [1.5, 2.5]) is None


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"city": "new york", "beds": 2}, None),
        ({"city": "NYC", "beds": 2, "pets": True}, None),
        ({"beds": 2, "city": "NYC"}, None),
        ({"city": "NYC", "beds": 3}, "value"),
        ({"city": "NYC"}, "value"),
        ({"city": "NYC", "beds": 2, "garden": True}, "value"),
        ({}, "value"),
        ([], "type"),
    ],
)
def test_an_objects_members_list_their_accepted_values(given: Any, wrong: str | None):
    accepted = [{"city": ["NYC", "New York"], "beds": [2], "pets": [True, ""]}]
    assert kind("dict", accepted, given) == wrong


def test_one_of_several_objects_will_do_but_not_a_mixture():
    accepted = ["", {"a": [1], "b": [1]}, {"a": [2], "b": [2]}]
    assert kind("dict", accepted, {"a": 2, "b": 2}) is None
    assert kind("dict", accepted, {"a": 1, "b": 2}) == "value"


def test_what_lies_deeper_in_an_object_is_compared_as_it_is():
    accepted = [{"tags": [["Red"]], "at": [{"x": 1}]}]
    assert kind("dict", accepted, {"tags": ["Red"], "at": {"x": 1}}) is None
    assert kind("dict", accepted, {"tags": ["red"], "at": {"x": 1}}) == "value"
    assert kind("dict", [{"at": [{"x": [1]}]}], {"at": {"x": 1}}) == "value"


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ([{"n": "a"}, {"n": "B", "m": 2}], None),
        ([{"n": "b"}, {"n": "a"}], "value"),
        ([{"n": "a"}], "value"),
        ([{"n": "a"}, {}], "value"),
        ([{"n": "a"}, "b"], "type"),
        ([], None),
    ],
)
def test_a_list_of_objects_is_compared_in_order(given: Any, wrong: str | None):
    accepted = ["", [{"n": ["A"]}, {"n": ["b"], "m": [2, ""]}]]
    objects = {"type": "array", "items": {"type": "dict"}}
    if wrong == "type":
        accepted = accepted[1:]
    assert kind(objects, accepted, given) == wrong


def test_an_argument_that_the_tool_or_the_answer_does_not_know_is_one_too_many():
    functions = [function("f", a="integer", b="integer")]
    expected = [Expected("f", {"a": [1], "c": ["", 1]})]
    for extra in ({"b": 1}, {"c": 1}, {"d": 1}):
        found = calls_mismatch(functions, expected, [Call("f", {"a": 1, **extra})])
        assert found is not None
        assert found.kind == "unexpected"


def test_the_tools_name_is_equal_to_the_letter():
    functions = [function("a.f", a="integer"), function("a_f", a="integer")]
    expected = [Expected("a.f", {"a": [1]})]
    assert calls_mismatch(functions, expected, [Call("a.f", {"a": 1})]) is None
    for other in ("a_f", "A.f", "f"):
        found = calls_mismatch(functions, expected, [Call(other, {"a": 1})])
        assert found is not None
        assert found.kind == "tool"


TWO = [Expected("f", {"a": [1]}), Expected("g", {"a": [2]})]
FUNCTIONS = [function("f", a="integer"), function("g", a="integer")]


@pytest.mark.parametrize(
    ("calls", "wrong"),
    [
        ([("f", 1), ("g", 2)], None),
        ([("g", 2), ("f", 1)], None),
        ([("f", 1)], "count"),
        ([("f", 1), ("g", 2), ("g", 2)], "count"),
        ([("f", 1), ("f", 1)], "tool"),
        ([("f", 1), ("g", 3)], "value"),
        ([], "no_call"),
    ],
)
def test_several_calls_match_in_any_order_and_number_as_expected(
    calls: list[tuple[str, int]], wrong: str | None
):
    found = calls_mismatch(FUNCTIONS, TWO, [Call(tool, {"a": a}) for tool, a in calls])
    assert (found.kind if found else None) == wrong


def test_the_same_call_is_expected_as_often_as_it_stands():
    expected = [Expected("f", {"a": [1]})] * 2
    assert calls_mismatch(FUNCTIONS, expected, [Call("f", {"a": 1})] * 2) is None
    calls = [Call("f", {"a": 1}), Call("f", {"a": 2})]
    assert calls_mismatch(FUNCTIONS, expected, calls) is not None


def test_an_expected_call_takes_the_first_that_fits_as_the_benchmark_does():
    expected = [Expected("f", {"a": [1, 2]}), Expected("f", {"a": [1]})]
    one, two = Call("f", {"a": 1}), Call("f", {"a": 2})
    assert calls_mismatch(FUNCTIONS, expected, [two, one]) is None
    assert calls_mismatch(FUNCTIONS, expected, [one, two]) is not None


def test_irrelevance_wants_no_call_and_relevance_any():
    call = Call("f", {})
    assert relevance_mismatch([], wanted=False) is None
    assert relevance_mismatch([call], wanted=True) is None
    needless, missing = (
        relevance_mismatch([call], wanted=False),
        relevance_mismatch([], wanted=True),
    )
    assert needless is not None
    assert missing is not None
    assert (needless.kind, missing.kind) == ("needless_call", "no_call")
