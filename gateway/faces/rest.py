"""Our own REST API: route, call, list; health and metrics."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.responses import PlainTextResponse
from mcp.types import CallToolResult
from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.faces.answers import Health, Readiness, RouteAnswer, ToolList
from gateway.faces.description import DRIFT_HEADER, problems
from gateway.faces.parts import Parts, agent, parts
from gateway.faces.response import Json
from gateway.pipeline import RouteRequest
from gateway.types import Call, Message

router = APIRouter()
AgentParts = Annotated[Parts, Depends(agent)]
AnyParts = Annotated[Parts, Depends(parts)]
ConversationId = Annotated[str | None, Header()]
"""`X-Conversation-Id`: keeps a conversation with one version while another is on trial."""


class Turn(BaseModel):
    """One message of a conversation."""

    model_config = ConfigDict(extra="forbid")
    role: Literal["system", "user", "assistant", "tool"]
    content: str


_EITHER: list[Any] = [
    {"required": ["request"], "properties": {"request": {"type": "string"}}},
    {"required": ["messages"], "properties": {"messages": {"type": "array"}}},
]


class RouteBody(BaseModel):
    """Body of `POST /v1/route`: a request in plain words, or a conversation."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"oneOf": _EITHER})
    request: Annotated[str, Field(min_length=1)] | None = None
    messages: Annotated[list[Turn], Field(min_length=1)] | None = None
    model: str = "auto"
    dispatch: bool = False
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None

    @model_validator(mode="after")
    def _one_of(self) -> "RouteBody":
        if (self.request is None) == (self.messages is None):
            raise ValueError("give exactly one of `request` and `messages`")
        return self

    @property
    def conversation(self) -> tuple[Message, ...]:
        """The conversation, whichever way it came."""
        if self.messages is not None:
            return tuple(Message(turn.role, turn.content) for turn in self.messages)
        return (Message("user", self.request or ""),)


class CallBody(BaseModel):
    """Body of `POST /v1/tools/call`."""

    model_config = ConfigDict(extra="forbid")
    tool: str
    arguments: dict[str, Any] = {}


@router.post(
    "/v1/route",
    response_model=RouteAnswer,
    responses={
        200: {"headers": DRIFT_HEADER},
        **problems(401, 404, 409, 422, 502, 503, 504),
    },
)
async def route(
    body: RouteBody, gateway: AgentParts, x_conversation_id: ConversationId = None
) -> Json:
    """Route a request; with `dispatch`, also make the calls."""
    reply = await gateway.pipeline.handle(
        RouteRequest(
            body.conversation,
            "rest",
            body.model,
            body.dispatch,
            body.threshold,
            conversation=x_conversation_id,
        )
    )
    headers = {"X-Pointsman-Drift": reply.drift_header} if reply.drift_header else None
    return Json(reply.to_json(), headers=headers)


@router.post(
    "/v1/tools/call",
    response_model=CallToolResult,
    responses=problems(401, 404, 409, 422, 502, 504),
)
async def call(body: CallBody, gateway: AgentParts) -> Json:
    """Validate one call and make it, without a model. A failed tool is a result with isError."""
    result = await gateway.pipeline.call(Call(body.tool, body.arguments), "rest")
    return Json(result.model_dump(by_alias=True, mode="json", exclude_none=True))


@router.get("/v1/tools", response_model=ToolList, responses=problems(401))
async def tools(gateway: AgentParts) -> Json:
    """The live tools with their servers and fingerprints, and the toolsets."""
    return Json(gateway.watch.catalog.to_json())


@router.get("/healthz", response_model=Health)
async def healthz() -> Json:
    """The process lives."""
    return Json({"status": "ok"})


@router.get("/readyz", response_model=Readiness, responses={503: {"model": Readiness}})
async def readyz(gateway: AnyParts) -> Json:
    """200 when a request can be routed, else 503 with what is missing."""
    missing = [
        f"server {upstream.name}: {upstream.error or upstream.state}"
        for upstream in gateway.watch.upstreams
        if upstream.listing is None
    ]
    replicas = gateway.engine.status
    missing += [f"replica {r.url}: {r.error or r.state}" for r in replicas if r.state != "ready"]
    held = {version for replica in replicas for version in replica.loaded}
    ready = any(
        active.live is not None and (not replicas or active.adapter.version in held)
        for active in gateway.active.all
    )
    if not gateway.active.all:
        missing.append("no adapter is in service")
    body = {"status": "ready" if ready else "not ready", "missing": missing}
    return Json(body, 200 if ready else 503, headers=None if ready else {"Retry-After": "2"})


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    responses={
        200: {"content": {"application/openmetrics-text": {"schema": {"type": "string"}}}},
        **problems(401),
    },
)
async def metrics(request: Request, gateway: AgentParts) -> Response:
    """Prometheus metrics, in the text format or, where asked for, OpenMetrics."""
    gateway.metrics.health(
        {upstream.name: upstream.state == "ready" for upstream in gateway.watch.upstreams},
        {replica.url: replica.state == "ready" for replica in gateway.engine.status},
    )
    body, media_type = gateway.metrics.rendered(request.headers.get("accept", ""))
    return Response(body, media_type=media_type)
