"""What is done about drift, by adapter and by grade. Pure: values, and what follows from them.

- `log`: a log line of level info, nothing else;
- `warn`: a warning, and the calls are made;
- `mask`: prompt and grammar stay, a proposal of the tool is withheld with `reason_code: drift`;
- `fallback`: the adapter that `fallback` names answers instead, as long as it does better itself;
  without one, the tool is masked, and the chat face lets its fallback LLM take over;
- `block`: every request is refused with 503 and the reason.

For one drifted tool, the first that speaks counts: the adapter's own `grades`, its own `policy`,
the `grades` for all, the `policy` for all, the defaults. Stands above the grades alone.
"""

from collections.abc import Collection, Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.grades import ACTIONS, GRADES, MASKED, DriftAction, DriftGrade

DriftDefault = Literal["warn", "mask", "fallback", "block"]
"""A whole policy in one word: what is done about a tool of one of the grades `MASKED`."""
Graded = Literal["notation", "description", "compatible", "added", "breaking", "renamed", "removed"]
_WITHHELD: frozenset[DriftAction] = frozenset({"mask", "fallback", "block"})


class DriftRules(BaseModel):
    """Rules for one adapter or for all; what they leave open, the next in line decides."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    policy: DriftDefault | None = None
    grades: dict[Graded, DriftAction] = {}
    fallback: str | None = Field(default=None, min_length=1)


class DriftPolicy(DriftRules):
    """Rules for all adapters, and those of single adapters by their names."""

    adapters: dict[str, DriftRules] = {}

    def with_adapter(self, name: str, rules: DriftRules) -> "DriftPolicy":
        """The policy with the rules that the adapter's own configuration gives, if it gives any."""
        if rules == DriftRules():
            return self
        return self.model_copy(update={"adapters": {**self.adapters, name: rules}})


def faults(policy: DriftPolicy, known: Collection[str]) -> list[str]:
    """What a policy says of adapters (by their names) that can never come true, in words."""
    found = [
        f"adapters: no adapter {name!r} is stored" for name in policy.adapters if name not in known
    ]
    every = {"": policy, **{f"adapters.{name}.": rules for name, rules in policy.adapters.items()}}
    for where, rules in every.items():
        if rules.fallback is not None and rules.fallback not in known:
            found.append(f"{where}fallback: no adapter {rules.fallback!r} is stored")
    found += [
        f"adapters.{name}.fallback: an adapter cannot stand in for itself"
        for name, rules in policy.adapters.items() if rules.fallback == name
    ]  # fmt: skip
    return found


def action(policy: DriftPolicy, adapter: str, grade: DriftGrade) -> DriftAction:
    """What is done about a tool of an adapter (by its name) that drifted by a grade."""
    if grade == "none":
        return "log"
    for rules in (policy.adapters.get(adapter), policy):
        if rules is not None and grade in rules.grades:
            return rules.grades[grade]
        if rules is not None and rules.policy is not None and grade in MASKED:
            return rules.policy
    if grade == "notation":
        return "log"
    return "mask" if grade in MASKED else "warn"


def harshest(policy: DriftPolicy, adapter: str, grades: Iterable[DriftGrade]) -> DriftAction:
    """The harshest action that several drifted tools call for, `log` if there is none."""
    found = {action(policy, adapter, grade) for grade in grades}
    return ACTIONS[max(map(ACTIONS.index, found), default=0)]


def withheld(policy: DriftPolicy, adapter: str) -> frozenset[DriftGrade]:
    """The grades of the tools that an adapter's proposals may not name."""
    return frozenset(grade for grade in GRADES if action(policy, adapter, grade) in _WITHHELD)


def stand_in(policy: DriftPolicy, adapter: str) -> str | None:
    """The name of the adapter that answers instead under the action `fallback`."""
    own = policy.adapters.get(adapter)
    name = (own.fallback if own else None) or policy.fallback
    return name if name != adapter else None
