"""Policy: what becomes of a route. Pure, and the only place where a call is withheld.

The checks count in this order, and the first that fails gives the reason:

- the answer cannot be read, or names a tool that was never offered: invalid;
- the tool is not among those the agent allows: abstained, `policy`;
- the tool drifted in a way that is masked: abstained, `drift` (its arguments are those of the
  old schema, so a broken schema would be the symptom, not the reason);
- the tool's definition changed and waits for a person's approval: abstained, `policy`;
- the arguments break the live schema: invalid, `schema`;
- an identifier is not grounded in the conversation: abstained, `not_grounded`;
- the same call stands twice in one answer, which no request means: abstained, `policy`;
- the confidence is below the threshold: abstained, `low_confidence`.

One withheld call withholds all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway.drift import MASKED, DriftGrade, worst
from gateway.fingerprint import canonical
from gateway.grounding.ground import Ungrounded
from gateway.types import Call, Outcome, ReasonCode, Route
from gateway.validate import ArgumentError


@dataclass(frozen=True, slots=True)
class CallCheck:
    """What the checks found for one proposed call.

    `schema` None means a tool that is not live or that the adapter never saw.
    """

    call: Call
    schema: Sequence[ArgumentError] | None
    grounding: Sequence[Ungrounded] = ()
    drift: DriftGrade = "none"
    allowed: bool = True
    held: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome. `calls` is empty unless it is `call`; `proposal` is what was withheld."""

    outcome: Outcome
    calls: tuple[Call, ...] = ()
    proposal: tuple[Call, ...] | None = None
    reason: str | None = None
    reason_code: ReasonCode | None = None


def decide(
    route: Route,
    checks: Sequence[CallCheck],
    threshold: float,
    masked: frozenset[DriftGrade] = MASKED,
) -> Decision:
    """Call, no_tool, abstain or refuse. `threshold` 0 never abstains for confidence."""
    if route.error is not None:
        return Decision("invalid", reason=route.error, reason_code="parse")
    if route.is_no_tool:
        return Decision("no_tool", reason=route.reason)
    for check in checks:
        withheld = _fault(check, masked)
        if withheld is not None:
            outcome, code, reason = withheld
            return Decision(outcome, (), route.calls, reason, code)
    if len({canonical(call.as_dict()) for call in route.calls}) < len(route.calls):
        reason = "the same call stands twice in one answer"
        return Decision("abstained", (), route.calls, reason, "policy")
    if route.confidence is not None and route.confidence < threshold:
        reason = f"confidence {route.confidence:.2f} is below the threshold {threshold:.2f}"
        return Decision("abstained", (), route.calls, reason, "low_confidence")
    return Decision("call", route.calls)


def _fault(
    check: CallCheck, masked: frozenset[DriftGrade]
) -> tuple[Outcome, ReasonCode, str] | None:
    tool = check.call.tool
    if not check.allowed:
        return "abstained", "policy", f"{tool} is not among the tools of the request"
    if check.drift in masked:
        reason = f"{tool} has drifted since the adapter was trained ({check.drift})"
        return "abstained", "drift", reason
    if check.held:
        return "abstained", "policy", f"{tool} is held: a person must approve its new definition"
    if check.schema is None:
        return "invalid", "schema", f"there is no tool {tool!r}"
    if check.schema:
        return "invalid", "schema", f"{tool}: {check.schema[0]}"
    if check.grounding:
        first = check.grounding[0]
        reason = f"{tool}: {first.pointer} {first.value!r} is not in the conversation"
        return "abstained", "not_grounded", reason
    return None


def checks_as_dict(checks: Sequence[CallCheck]) -> dict[str, Any]:
    """The `checks` member of a reply; `drift` is the worst grade of the proposed tools."""
    return {
        "schema": [e.as_dict() for check in checks for e in check.schema or ()],
        "grounding": [u.as_dict() for check in checks for u in check.grounding],
        "drift": worst(check.drift for check in checks),
    }
