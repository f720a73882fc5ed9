"""What is done about drift: by grade, by adapter, and by the harshest of several tools."""

import pytest
from pydantic import ValidationError

from gateway.drift_policy import DriftPolicy, DriftRules, action, harshest, stand_in, withheld
from gateway.grades import GRADES, MASKED, DriftAction


def policy(**value: object) -> DriftPolicy:
    return DriftPolicy.model_validate(value)


def test_by_default_what_breaks_a_call_masks_and_the_rest_warns() -> None:
    found = {grade: action(DriftPolicy(), "support", grade) for grade in GRADES}
    assert found == {
        "none": "log", "notation": "log",
        "description": "warn", "compatible": "warn", "added": "warn",
        "breaking": "mask", "renamed": "mask", "removed": "mask",
    }  # fmt: skip


@pytest.mark.parametrize("word", ["warn", "mask", "fallback", "block"])
def test_one_word_is_a_policy_for_what_breaks_a_call_alone(word: DriftAction) -> None:
    short = policy(policy=word)
    assert {action(short, "support", grade) for grade in MASKED} == {word}
    assert action(short, "support", "description") == "warn"


def test_a_grades_own_action_goes_before_the_one_word() -> None:
    rules = policy(policy="block", grades={"renamed": "warn", "description": "mask"})
    assert action(rules, "support", "renamed") == "warn"
    assert action(rules, "support", "description") == "mask"
    assert action(rules, "support", "removed") == "block"


def test_an_adapters_own_rules_go_before_those_for_all() -> None:
    rules = policy(
        policy="block", grades={"breaking": "block"}, adapters={"support": {"policy": "warn"}}
    )
    assert action(rules, "support", "breaking") == "warn"
    assert action(rules, "billing", "breaking") == "block"


def test_the_harshest_action_is_not_always_that_of_the_worst_grade() -> None:
    rules = policy(grades={"description": "block", "removed": "warn"})
    assert harshest(rules, "support", ("description", "removed")) == "block"
    assert harshest(rules, "support", ()) == "log"


def test_masked_fallen_back_and_blocked_tools_are_all_withheld() -> None:
    rules = policy(grades={"added": "mask", "breaking": "fallback", "renamed": "block"})
    assert withheld(rules, "support") == {"added", "breaking", "renamed", "removed"}
    assert withheld(policy(policy="warn"), "support") == frozenset()


def test_an_adapter_never_stands_in_for_itself() -> None:
    rules = policy(fallback="general", adapters={"support": {"fallback": "old"}})
    assert [stand_in(rules, name) for name in ("support", "billing", "general")] == [
        "old", "general", None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "value", [{"grades": {"none": "block"}}, {"grades": {"breaking": "hide"}}, {"polizy": "warn"}]
)
def test_what_no_policy_can_say_is_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        DriftPolicy.model_validate(value)


def test_empty_rules_for_an_adapter_change_nothing() -> None:
    rules = policy(policy="warn")
    assert rules.with_adapter("support", DriftRules()) is rules
