"""What an agent lets a model choose: OpenAI's `tool_choice` and `parallel_tool_calls`. Pure.

No choice takes no_tool out of the grammar or lets a doubtful call through: who must call and
cannot is told why. Stands above the checks; the router's and the fallback's calls pass it alike.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Literal

from gateway.decide import Decision
from gateway.types import Call


@dataclass(frozen=True, slots=True)
class Choice:
    """`mode` is OpenAI's; `name`, only with `required`, is the one tool that may be called;
    without `several` an answer makes one call at most."""

    mode: Literal["auto", "none", "required"] = "auto"
    name: str | None = None
    several: bool = True

    def fault(self, calls: Sequence[Call], offered: Container[str]) -> str | None:
        """Why these calls are not what the agent lets be made, None if they are."""
        for call in calls:
            if call.tool not in offered:
                return f"{call.tool} is not among the tools of the request"
            if self.mode == "none":
                return "tool_choice is none"
            if self.name is not None and call.tool != self.name:
                return f"tool_choice names {self.name}, not {call.tool}"
        if len(calls) > 1 and not self.several:
            return f"{len(calls)} calls are needed and parallel_tool_calls is false"
        return None


def allowed(decision: Decision, choice: Choice, offered: Container[str]) -> Decision:
    """The decision, or an abstention for `policy` if it makes calls that the agent does not let."""
    reason = choice.fault(decision.calls, offered)
    if reason is None:
        return decision
    return Decision("abstained", (), decision.calls, reason, "policy")
