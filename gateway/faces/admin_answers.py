"""What the operator's API answers, as the OpenAPI description tells it; see `answers`."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from gateway.adapters.trial import TrialKind
from gateway.drift_policy import DriftPolicy, Graded
from gateway.faces.answers import Flag, HeldName
from gateway.grades import DriftAction, DriftGrade
from gateway.labels import Label
from gateway.toolsets.upstream import State


class ServerShown(BaseModel):
    """A server with its state; secrets are redacted, settings at their defaults left out."""

    model_config = ConfigDict(extra="allow")
    name: str
    state: State
    error: str | None
    warning: str | None
    listed_at: float | None
    tools: list[str]
    configured: bool


class ServerList(BaseModel):
    """Every server."""

    servers: list[ServerShown]


class Removed(BaseModel):
    """What is gone: its name, version or identifier."""

    removed: str


class RecordedCall(BaseModel):
    """One record; which members it has depends on what was recorded."""

    model_config = ConfigDict(extra="allow")
    id: str
    at: float
    face: str
    outcome: str
    label: Label | None = None


class CallList(BaseModel):
    """Records, newest first."""

    calls: list[RecordedCall]


class Labelled(BaseModel):
    """The label that is kept."""

    id: str
    label: Label


class Change(BaseModel):
    """One changed field of a tool: a JSON Pointer into it, before and after."""

    pointer: str
    grade: DriftGrade
    before: Any
    after: Any


class HeldShown(HeldName):
    """A definition that waits for a person, with everything that is needed to decide."""

    definition: str
    changes: list[Change]
    listed: dict[str, Any]
    flags: list[Flag]


class HeldList(BaseModel):
    """Every definition that waits."""

    held: list[HeldShown]


class ApprovedShown(BaseModel):
    """The tool whose definition was approved."""

    approved: str
    fingerprint: str


class ToolDrift(BaseModel):
    """One tool's drift; `renamed_to` and `score` are there for grade `renamed` alone."""

    tool: str
    grade: DriftGrade
    changes: list[Change]
    renamed_to: str | None = None
    score: float | None = None


class Measured(BaseModel):
    """How far the measurement of a drift's cost is."""

    asked: int
    of: int
    failed: str | None


class AdapterDrift(BaseModel):
    """The drift of a version in service; what it costs, if that is measured."""

    adapter: str
    toolset: str
    toolset_mode: str
    listed: bool
    grade: DriftGrade
    trained_fingerprint: str
    live_fingerprint: str | None
    tools: list[ToolDrift]
    action: DriftAction
    answered_by: str
    silenced: bool
    measuring: Measured | None = None
    measured: str | None = None
    impact: dict[str, Any] | None = None


class DriftList(BaseModel):
    """The drift of every version in service."""

    adapters: list[AdapterDrift]


class PolicyShown(DriftPolicy):
    """The policy in force, and who set it."""

    set_by: Literal["configuration", "admin"]


class SilenceShown(BaseModel):
    """A silence, with its identifier."""

    id: str
    adapter: str
    grade: Graded | None
    tools: list[str] | None
    reason: str
    until: str


class SilenceList(BaseModel):
    """Every silence that has not expired."""

    silences: list[SilenceShown]


class TrialShown(BaseModel):
    """A trial; `share` is a percentage, `figures` are those of both versions."""

    version: str
    kind: TrialKind
    share: float
    auto: bool
    started: float
    figures: dict[str, dict[str, Any]]


class AdapterShown(BaseModel):
    """A stored version, and whether it is in service or on trial."""

    version: str
    name: str
    digest: str
    base_model: str
    toolset_fingerprint: str
    created: str
    configured: bool
    in_service: bool
    toolset: str | None
    previous: str | None
    drift: DriftGrade | None
    trial: TrialShown | None


class AdapterList(BaseModel):
    """Every stored version."""

    adapters: list[AdapterShown]
