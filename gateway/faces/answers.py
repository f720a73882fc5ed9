"""What our own API answers to agents, as the OpenAPI description tells it.

Nothing is checked against these while serving; the tests and the fuzz hold answers against them.
"""

from typing import Annotated, Any, Literal

from mcp.types import CallToolResult, Tool
from pydantic import BaseModel, ConfigDict, Field

from gateway.grades import DriftGrade
from gateway.toolsets.flags import Kind
from gateway.types import Outcome, ReasonCode


class ProposedCall(BaseModel):
    """A call that was made, proposed or withheld."""

    tool: str
    arguments: dict[str, Any]


class Fault(BaseModel):
    """An argument that breaks its schema; the pointer is into the arguments."""

    pointer: str
    message: str


class Ungrounded(BaseModel):
    """An identifier that the conversation does not give."""

    pointer: str
    value: Any


class Checks(BaseModel):
    """What the checks found; `drift` is the worst grade of the proposed tools."""

    model_config = ConfigDict(populate_by_name=True)
    faults: list[Fault] = Field(alias="schema")
    grounding: list[Ungrounded]
    drift: DriftGrade


class Tokens(BaseModel):
    """Tokens of the completion."""

    prompt_tokens: int
    completion_tokens: int


class Timings(BaseModel):
    """Milliseconds."""

    route: float
    validate_: float = Field(alias="validate")
    dispatch: float
    total: float


class RouteAnswer(BaseModel):
    """What came of a request to route."""

    id: str
    outcome: Outcome
    calls: list[ProposedCall]
    call: ProposedCall | None
    proposal: list[ProposedCall] | None
    reason: str | None
    reason_code: ReasonCode | None
    confidence: Annotated[float, Field(ge=0, le=1)] | None
    model: str
    checks: Checks
    results: list[CallToolResult] | None
    usage: Tokens
    timings_ms: Timings


class Flag(BaseModel):
    """Suspicious text in a tool's definition."""

    kind: Kind
    pointer: str
    text: str


class LiveTool(Tool):
    """A live tool as its server sent it, with its server and fingerprint."""

    server: str
    fingerprint: str
    flags: list[Flag]


class ToolsetShown(BaseModel):
    """A toolset: the names of its tools."""

    name: str
    fingerprint: str
    tools: list[str]


class ToolLeftOut(BaseModel):
    """A listed tool that is not offered, and why."""

    server: str
    tool: str
    reason: str


class HeldName(BaseModel):
    """A definition that waits for a person, without its text."""

    tool: str
    server: str
    state: str
    fingerprint: str


class ToolList(BaseModel):
    """Everything live."""

    tools: list[LiveTool]
    toolsets: list[ToolsetShown]
    left_out: list[ToolLeftOut]
    held: list[HeldName]


class Health(BaseModel):
    """The process lives."""

    status: Literal["ok"]


class Readiness(BaseModel):
    """Whether a request can be routed, and what is missing."""

    status: Literal["ready", "not ready"]
    missing: list[str]
