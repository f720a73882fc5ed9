"""Duplicates: warnings within a split, errors across splits, each pair told once."""

import random

import pytest

from tests.training.check.made import call, item, no_tool, track
from training.check.leaks import duplicates, near_pairs
from training.check.masks import Form, Masked


def found(*rows: Masked) -> list[tuple[str, str]]:
    return [(finding.severity, finding.rule) for finding in duplicates(rows)]


def where(order: str, split: str, words: str = "where is") -> Masked:
    return item(f"{words} {order}", track(f"ORD-{order}"), split, place=f"{split}:{order}")


def test_different_requests_give_nothing():
    assert not found(
        where("4821", "train"), item("glove size chart", call("search_help", query="glove"), "test")
    )


@pytest.mark.parametrize(
    ("other", "within", "across"),
    [
        (("4821", "where is"), "duplicate_text", "leak_text"),
        (("90210", "Where is:"), "duplicate_form", "leak_form"),
        (("90210", "please where exactly now is"), None, None),
    ],
    ids=["text", "form", "neither"],
)
def test_a_pair_is_a_warning_within_a_split_and_an_error_across(
    other: tuple[str, str], within: str | None, across: str | None
):
    first = where("4821", "train")
    order, words = other
    assert found(first, where(order, "train", words)) == ([("warning", within)] if within else [])
    assert found(first, where(order, "test", words)) == ([("error", across)] if across else [])


def test_nearly_the_same_short_requests_are_near_by_their_words():
    one, other = "where is my parcel", "where is my order parcel"
    assert found(item(one, no_tool()), item(other, no_tool())) == [("warning", "duplicate_near")]
    assert found(item(one, no_tool()), item(other, no_tool(), "test")) == [("error", "leak_near")]
    assert not found(item("where is my parcel", no_tool()), item("where is the parcel", no_tool()))


def test_nearly_the_same_long_requests_are_near_by_their_shingles():
    said = "i bought a lamp and a rug and a pan and now all of them are late again"
    assert found(item(said, no_tool()), item(f"{said} really", no_tool())) == [
        ("warning", "duplicate_near")
    ]
    shuffled = " ".join(sorted(said.split()))
    assert not found(item(said, no_tool()), item(shuffled, no_tool()))


def test_a_finding_lists_every_place_and_near_ones_say_what_each_wants():
    rows = [where("4821", "train"), where("5555", "train"), where("90210", "test")]
    same, within = duplicates(rows)
    assert within.severity == "warning"
    assert same.places == ("train:4821", "train:5555", "test:90210")
    assert "where is <order_id>" in same.detail
    said = "where is my parcel"
    (near,) = duplicates([item(said, no_tool()), where("4821", "test", said)])
    assert "no_tool and track_order(order_id)" in near.detail


def test_a_conversation_and_one_message_with_the_same_words_are_duplicates():
    said = call("cancel_order", order_id="ORD-7704")
    turns = item([("user", "cancel it"), ("assistant", "Which?"), ("user", "7704")], said)
    assert found(turns, item("cancel it, 7704", said, "test")) == [("error", "leak_form")]


def test_requests_of_signs_alone_are_told_apart_by_their_text():
    assert not found(item("📦", no_tool()), item("🥾", no_tool(), "test"))
    assert found(item("📦", no_tool()), item("📦", no_tool(), "test")) == [("error", "leak_text")]


def test_the_index_finds_the_very_pairs_that_comparing_all_finds():
    rng = random.Random(5)
    words = [f"w{n}" for n in range(12)]
    forms: list[Form] = list(
        dict.fromkeys(
            tuple(rng.choice(words) for _ in range(rng.randint(1, 9))) for _ in range(400)
        )
    )
    base = tuple(f"v{n}" for n in range(30))
    forms += [base[:start] + base[start + 1 :] for start in range(30)]
    indexed = {(first, second) for first, second, _ in near_pairs(forms)}
    compared = {
        (first, second)
        for second in range(len(forms))
        for first in range(second)
        if _similarity(forms[first], forms[second]) >= 0.8
    }
    assert indexed == compared
    assert compared


def _similarity(one: Form, other: Form) -> float:
    width = 1 if min(len(one), len(other)) < 6 else 3
    left, right = (
        {form[n : n + width] for n in range(len(form) - width + 1)} for form in (one, other)
    )
    return len(left & right) / len(left | right)
