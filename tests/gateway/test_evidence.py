"""The evidence of an answer: what was decided counts apart from how free text is worded."""

import pytest

from gateway.confidence import evidence
from gateway.engines.base import Completion, Token
from gateway.types import Evidence, Usage


def completion(*tokens: tuple[str | bytes, float]) -> Completion:
    made = tuple(
        Token(data.encode() if isinstance(data, str) else data, logprob) for data, logprob in tokens
    )
    text = b"".join(token.data for token in made).decode()
    return Completion(text, made, Usage())


def split(*tokens: tuple[str | bytes, float]) -> Evidence:
    found = evidence(completion(*tokens))
    return Evidence(round(found.decided, 9), round(found.worded, 9))


def test_a_call_without_free_text_is_all_decision():
    assert split(
        ('{"tool": "', -0.1), ("track", -0.2), ("_order", 0.0), ('", "arguments": {"', -0.3),
        ('order_id": "ORD-', 0.0), ("1234", -0.4), ('"}}', -0.5), ("", -0.6),
    ) == Evidence(-2.1)  # fmt: skip


@pytest.mark.parametrize("name", ["reason", "query"])
def test_the_words_of_a_free_text_count_apart_and_its_ends_do_not(name: str):
    assert split(
        (f'{{"tool": "x", "arguments": {{"{name}": "', -0.1),
        ("too ", -1.0), ("small", -2.0), ('", "amount": ', -0.2), ("15", -0.3), ("}}", -0.4),
    ) == Evidence(-1.0, -3.0)  # fmt: skip


def test_a_token_that_opens_the_text_is_a_decision():
    assert split(('{"reason": "it', -0.5), (" broke", -1.0), ('"}', 0.0)) == Evidence(-0.5, -1.0)


def test_each_of_several_texts_counts_as_wording():
    assert split(
        ('{"calls": [{"reason": "', -0.1), ("late", -1.0), ('"}, {"query": "', -0.2),
        ("sizes", -1.0), ('"}]}', -0.3),
    ) == Evidence(-0.6, -2.0)  # fmt: skip


def test_quotes_and_member_names_within_a_text_are_its_words():
    inside = r"he said \"reason\": \"no\" and left"
    assert split(('{"reason": "', -0.1), (inside, -2.0), ('"}', -0.2)) == Evidence(-0.3, -2.0)


def test_a_character_of_several_tokens_is_counted_once_by_its_bytes():
    assert split(
        ('{"query": "', -0.1), (b"\xe6", -1.0), (b"\x9d", -1.0), (b"\xb1", -1.0), ('"}', -0.2),
    ) == Evidence(-0.3, -3.0)  # fmt: skip


def test_a_text_that_never_ends_is_no_wording():
    assert split(('{"reason": "', -0.1), ("and so on", -2.0)) == Evidence(-2.1)
