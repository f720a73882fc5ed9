"""The operator's API: servers, the call record and its labels. `adapters.py`, `drift.py` and
`held.py` hold the rest of it."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict

from gateway.config import ServerConfig
from gateway.errors import Forbidden, NotFound
from gateway.faces import adapters, drift, held
from gateway.faces.admin_answers import CallList, Labelled, Removed, ServerList, ServerShown
from gateway.faces.description import problems
from gateway.faces.parts import Parts, admin
from gateway.faces.response import Json
from gateway.labels import Label, checked
from gateway.toolsets.upstream import Upstream

router = APIRouter(prefix="/admin", responses=problems(401))
router.include_router(adapters.router)
router.include_router(drift.router)
router.include_router(held.router)
AdminParts = Annotated[Parts, Depends(admin)]
_LAST_ROW = 2**63 - 1
"""What the database counts to."""


class LabelBody(BaseModel):
    """Body of `POST /admin/calls/{id}/label`: `right`, `wrong`, or the answer to be right."""

    model_config = ConfigDict(extra="forbid")
    target: Label


@router.get("/servers", response_model=ServerList)
async def servers(gateway: AdminParts) -> Json:
    """Every server with its state; secrets are redacted."""
    return Json({"servers": [_server(gateway, u) for u in gateway.watch.upstreams]})


@router.post(
    "/servers", status_code=201, response_model=ServerShown, responses=problems(409, 422, 502)
)
async def register(body: ServerConfig, gateway: AdminParts) -> Json:
    """Connect to a server and keep it across restarts."""
    if body.command is not None and not gateway.config.allow_stdio_registration:
        raise Forbidden(
            "registering a command to run is off; set allow_stdio_registration in the configuration"
        )
    upstream = await gateway.watch.register(body)
    await gateway.records.keep_server(body.name, body.stored())
    return Json(_server(gateway, upstream), 201)


@router.delete("/servers/{name}", response_model=Removed, responses=problems(404))
async def remove(name: str, gateway: AdminParts) -> Json:
    """Disconnect a server and forget it."""
    await gateway.watch.remove(name)
    await gateway.records.drop_server(name)
    return Json({"removed": name})


@router.post("/servers/{name}/refresh", response_model=ServerShown, responses=problems(404, 502))
async def refresh(name: str, gateway: AdminParts) -> Json:
    """List a server's tools again, now."""
    await gateway.watch.refresh(name)
    return Json(_server(gateway, gateway.watch.upstream(name)))


@router.get("/calls", response_model=CallList, responses=problems(422))
async def calls(
    gateway: AdminParts,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    outcome: str | None = None,
    labelled: bool = False,
    offset: Annotated[int, Query(ge=0, le=_LAST_ROW)] = 0,
) -> Json:
    """The call record, newest first."""
    found = await gateway.records.calls(limit, outcome, labelled=labelled, offset=offset)
    return Json({"calls": found})


@router.post("/calls/{call_id}/label", response_model=Labelled, responses=problems(404, 409, 422))
async def label(call_id: str, body: LabelBody, gateway: AdminParts) -> Json:
    """Say what a recorded call ought to have been; a later label replaces an earlier one."""
    call = await gateway.records.call(call_id)
    if call is None:
        raise NotFound(f"no call {call_id!r} is recorded")
    validators = {name: e.validator for name, e in gateway.watch.catalog.entries.items()}
    kept = checked(body.target, call, validators)
    await gateway.records.label_call(call_id, kept)
    return Json({"id": call_id, "label": kept})


def _server(gateway: Parts, upstream: Upstream) -> dict[str, Any]:
    return {
        **upstream.config.shown(),
        "state": upstream.state,
        "error": upstream.error,
        "warning": upstream.warning,
        "listed_at": upstream.listed_at,
        "tools": [
            entry.tool.name
            for entry in gateway.watch.catalog.entries.values()
            if entry.server == upstream.name
        ],
        "configured": gateway.watch.is_configured(upstream.name),
    }
