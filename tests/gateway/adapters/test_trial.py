"""Which conversations a version on trial gets."""

from gateway.adapters.trial import chosen_for, conversation_key
from gateway.types import Message

KEYS = [f"conversation {number}" for number in range(2000)]


def chosen(version: str, share: float) -> set[str]:
    return {key for key in KEYS if chosen_for(version, key, share)}


def test_a_share_of_the_conversations_is_chosen() -> None:
    # Three standard deviations of a binomial around the share.
    assert abs(len(chosen("support@1", 0.1)) - 200) < 41
    assert abs(len(chosen("support@1", 0.5)) - 1000) < 68


def test_nothing_and_everything_are_shares_too() -> None:
    assert chosen("support@1", 0.0) == set()
    assert chosen("support@1", 1.0) == set(KEYS)


def test_a_larger_share_keeps_the_conversations_of_a_smaller_one() -> None:
    assert chosen("support@1", 0.1) < chosen("support@1", 0.2) < chosen("support@1", 0.5)


def test_each_version_draws_anew() -> None:
    both = chosen("support@1", 0.1) & chosen("support@2", 0.1)
    assert len(both) < 60  # a hundredth of them, not a tenth


def test_the_choice_is_the_same_in_every_process() -> None:
    # Written down, so that a gateway that is started anew keeps its conversations where they are.
    drawn = [chosen_for("support@00000000", f"id:{number}", 0.5) for number in range(8)]
    assert drawn == [False, False, True, True, False, True, False, True]


def test_a_conversation_is_told_by_the_agents_name_for_it_else_by_how_the_user_began() -> None:
    first, later = Message("user", "where is ORD-1?"), Message("user", "and ORD-2?")
    system = Message("system", "You are a desk.")
    assert conversation_key(None, [first]) == conversation_key(None, [system, first, later])
    assert conversation_key(None, [first]) != conversation_key(None, [later])
    assert conversation_key("a", [first]) == conversation_key("a", [later])
    assert conversation_key("a", [first]) != conversation_key("b", [first])
    assert conversation_key("a", []) != conversation_key(None, [Message("user", "a")])


def test_half_a_surrogate_pair_in_a_name_is_a_key_like_any_other() -> None:
    assert chosen_for("support@1", "id:\ud83d", 1.0)
