"""What goes into the pipeline and what comes out of it: values that faces read and write."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcp.types import CallToolResult, Tool

from gateway.adapters.trial import conversation_key
from gateway.decide import CallCheck, Decision, checks_as_dict
from gateway.errors import ApprovalAsked, BadRequest
from gateway.types import Message, Route


@dataclass(frozen=True)
class RouteRequest:
    """One request to route. `tools` are the agent's own, None if it brought none; `conversation`
    is the agent's name for the conversation, if it gave one."""

    messages: tuple[Message, ...]
    face: str
    model: str | None = None
    dispatch: bool = False
    threshold: float | None = None
    tools: tuple[Tool, ...] | None = None
    conversation: str | None = None

    @property
    def conversation_key(self) -> str:
        """The same for all requests of one conversation."""
        return conversation_key(self.conversation, self.messages)

    def check_text(self) -> None:
        """JSON can escape half a surrogate pair, which no tokenizer takes. Raises BadRequest."""
        try:
            for message in self.messages:
                message.content.encode()
        except UnicodeEncodeError as exc:
            raise BadRequest("the conversation holds text that is not valid Unicode") from exc


@dataclass(frozen=True)
class Reply:
    """Everything that a face needs for its answer. `asked` says that a person is being asked about
    the calls, none of which has run."""

    id: str
    model: str
    decision: Decision
    checks: Sequence[CallCheck]
    route: Route
    results: Sequence[CallToolResult] | None
    drift_header: str | None
    timings_ms: Mapping[str, float]
    asked: ApprovalAsked | None = None

    def to_json(self) -> dict[str, Any]:
        """The body of `POST /v1/route`."""
        decision = self.decision
        calls = [call.as_dict() for call in decision.calls]
        proposal = decision.proposal
        return {
            "id": self.id,
            "outcome": decision.outcome,
            "calls": calls,
            "call": calls[0] if len(calls) == 1 else None,
            "proposal": [call.as_dict() for call in proposal] if proposal else None,
            "reason": decision.reason,
            "reason_code": decision.reason_code,
            "confidence": round(self.route.confidence, 4)
            if self.route.confidence is not None
            else None,
            "model": self.model,
            "checks": checks_as_dict(self.checks),
            "results": results_as_json(self.results),
            "usage": {
                "prompt_tokens": self.route.usage.prompt_tokens,
                "completion_tokens": self.route.usage.completion_tokens,
            },
            "timings_ms": dict(self.timings_ms),
        }


def results_as_json(results: Sequence[CallToolResult] | None) -> list[Any] | None:
    """MCP results as the faces and the record show them."""
    if results is None:
        return None
    return [r.model_dump(by_alias=True, mode="json", exclude_none=True) for r in results]
