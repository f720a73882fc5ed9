"""The rule of `--auto`: what the counts of a trial say. Pure, and stated here in full.

Roll back as soon as one of these holds:
- the new version has drifted worse than the one in service, so far that its tools are masked;
- after 50 requests of each, the new version's broken share (invalid answers and engine errors) is
  significantly higher: one-sided pooled two-proportion z above 2.33 (1 % in a single look);
- at a look, the share that it leaves (invalid, abstained, engine errors) is proven to be more than
  2 points above that of the version in service: one-sided z below -2.33, with the standard error of
  Agresti and Caffo (2000), who add one success and one failure to each side.

A look is taken each time the new version has answered 200 more requests, once the version in
service has answered 200. Promote when at a look all of these hold:
- the share that the new version leaves is proven to be at most 2 points above that of the version
  in service: the same z above 1.645 (5 %);
- its share of no_tool is not significantly other than that of the version in service, either way:
  pooled two-proportion z within 2.33, which 200 requests of each leave at about 8 points. Which of
  the two is right to call, or not to, is for a person to say, who promotes or rolls back;
- its p95 latency is at most 1.5 times that of the version in service;
- a shadow agrees on at least 95 % of the requests that both answered.

Otherwise go on. Looking often makes a false alarm likelier than one look's 1 %: that costs a trial,
never a customer; and a version as good as the one in service is 2 points away from the alarm of the
looks. Proof takes requests: with a tenth of them left by both versions, 1,400 of each.
"""

import math
from dataclasses import dataclass
from typing import Literal

from gateway.adapters.tally import Counts
from gateway.adapters.trial import TrialKind

Judgement = Literal["promote", "roll back", "go on"]


@dataclass(frozen=True, slots=True)
class Rule:
    """The numbers of the rule."""

    requests: int = 200
    alarm_requests: int = 50
    alarm_z: float = 2.33
    margin: float = 0.02
    proof_z: float = 1.645
    slower: float = 1.5
    agreement: float = 0.95


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do, and why."""

    judgement: Judgement
    reason: str


def verdict(
    kind: TrialKind, old: Counts, new: Counts, *, worse_drift: bool = False, rule: Rule = Rule()
) -> Verdict:
    """What the counts of the version in service and of the one on trial say."""
    if worse_drift:
        return Verdict("roll back", "it has drifted worse than the version in service")
    if min(old.requests, new.requests) >= rule.alarm_requests:
        z = pooled_z(old.broken, old.requests, new.broken, new.requests)
        if z > rule.alarm_z:
            broken = f"{new.broken} of {new.requests} requests broke"
            in_service = f"{old.broken} of {old.requests} in service"
            return Verdict("roll back", f"{broken}, {in_service} (z {z:.2f})")
    if old.requests < rule.requests or not new.requests or new.requests % rule.requests:
        return Verdict("go on", "too few requests, or between two looks")
    left = (
        f"it leaves {new.left} of {new.requests} requests, "
        f"the version in service {old.left} of {old.requests}"
    )
    z = margin_z(old.left, old.requests, new.left, new.requests, rule.margin)
    if z < -rule.alarm_z:
        return Verdict("roll back", f"{left} (z {z:.2f})")
    if z <= rule.proof_z:
        return Verdict("go on", f"it may leave more requests than it is allowed (z {z:.2f})")
    z = pooled_z(old.no_tool, old.requests, new.no_tool, new.requests)
    if abs(z) > rule.alarm_z:
        no_tool = f"no_tool is its answer to {new.no_tool} of {new.requests} requests"
        in_service = f"{old.no_tool} of {old.requests} in service"
        return Verdict("go on", f"{no_tool}, {in_service} (z {z:.2f})")
    before, now = old.latency(0.95), new.latency(0.95)
    if before is None or now is None or now > rule.slower * before:
        return Verdict("go on", "its p95 latency is too high")
    if kind == "shadow" and (new.agreement is None or new.agreement < rule.agreement):
        return Verdict("go on", "it disagrees too often with the version in service")
    return Verdict("promote", left)


def pooled_z(old: int, old_n: int, new: int, new_n: int) -> float:
    """How many standard errors the new share lies above the old one, if both were the same."""
    both = (old + new) / (old_n + new_n)
    error = math.sqrt(both * (1 - both) * (1 / old_n + 1 / new_n))
    return (new / new_n - old / old_n) / error if error else 0.0


def margin_z(old: int, old_n: int, new: int, new_n: int, margin: float) -> float:
    """How many standard errors the new share lies below the old one plus the margin."""
    p, q = (old + 1) / (old_n + 2), (new + 1) / (new_n + 2)
    error = math.sqrt(p * (1 - p) / (old_n + 2) + q * (1 - q) / (new_n + 2))
    return (p + margin - q) / error
