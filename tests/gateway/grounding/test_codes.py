"""Codes: which ones a text says in parts behind their head, and which it writes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.grounding.codes import codes, joined_words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("sku lamp", {"lamp"}),
        ("s k u l a m p 7", {"l", "la", "lam", "lamp", "lamp7"}),
        ("SKU dash lamp seven in Lyon", {"lamp", "lamp7"}),
        ("sku t ray one twelve", {"t", "tray", "tray1", "tray112"}),
        ("sku a four", {"a", "a4"}),
        ("sku l o double o seven", {"l", "l0", "l000", "l0007", "lo", "looo", "looo7"}),
        ("sku h 4 x in", {"h", "h4", "h4x"}),
        ("sku-lamp 7", set()),
        ("sku lamp7 8", set()),
        ("sku lamp, 7", {"lamp"}),
        ("risk u lamp", set()),
        ("lamp 7", set()),
        ("", set()),
    ],
)  # fmt: skip
def test_a_code_is_made_of_the_parts_behind_its_head(text: str, found: set[str]):
    assert codes(text, "sku", 40) == found


def test_a_row_of_spoken_digits_is_not_cut():
    found = codes("sku mug one two three", "sku", 40)
    assert "mug123" in found
    assert not found & {"mug1", "mug12"}


def test_without_a_head_a_code_begins_at_any_word():
    assert codes("flight a b 12", "", 40) >= {"ab12", "b12", "12", "flight"}
    assert "34" not in codes("twelve two three four", "", 40)


def test_a_head_with_an_o_may_be_spelled():
    assert "lamp7" in codes("o r g lamp seven", "org", 40)


def test_no_code_is_longer_than_asked_for():
    assert codes("sku a b c d", "sku", 2) == {"a", "ab"}


def test_only_numbers_are_joined_over_a_space():
    assert joined_words("mug-12 in 34 56", 40) >= {"mug12", "in", "3456"}
    assert not joined_words("mug-12 in 34 56", 40) & {"12in", "mug12in", "in34"}
    assert "1277" in joined_words("one two double seven", 40)


@pytest.mark.parametrize("text", ["a.b@" * 20_000, "sku " * 20_000, "x 1 " * 20_000])
def test_a_long_text_is_read_to_its_end(text: str):
    for head in ("sku", ""):
        assert "lamp7" in codes(f"{text}\nsku lamp seven", head, 8)


WORDS = ["sku", "s", "k", "u", "x9", "one", "double", "7", "12", "lamp", "dash", "-", ",", "²", "o"]


@settings(deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join))
def test_a_word_is_never_added_after_figures(text: str):
    for code in codes(text, "sku", 40):
        assert not code[:1].isdecimal() or "lamp" not in code
