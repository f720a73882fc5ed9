"""The operator's API: servers, adapters, drift, the call record and its labels."""

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict

from gateway.adapters.active import Active
from gateway.config import ServerConfig
from gateway.errors import Conflict, Forbidden, NotFound
from gateway.faces.parts import Parts, admin
from gateway.faces.response import Json
from gateway.labels import Label, checked
from gateway.manifest import Adapter
from gateway.toolsets.upstream import Upstream

router = APIRouter(prefix="/admin")
AdminParts = Annotated[Parts, Depends(admin)]


class AdapterBody(BaseModel):
    """Body of `POST /admin/adapters`: a folder on the gateway's machine."""

    model_config = ConfigDict(extra="forbid")
    folder: str


class ActivateBody(BaseModel):
    """Body of `.../activate`; the toolset defaults to the one served so far or trained on."""

    model_config = ConfigDict(extra="forbid")
    toolset: str | None = None


class LabelBody(BaseModel):
    """Body of `POST /admin/calls/{id}/label`: `right`, `wrong`, or the answer to be right."""

    model_config = ConfigDict(extra="forbid")
    target: Label


@router.get("/servers")
async def servers(gateway: AdminParts) -> Json:
    """Every server with its state; secrets are redacted."""
    return Json({"servers": [_server(gateway, u) for u in gateway.watch.upstreams]})


@router.post("/servers", status_code=201)
async def register(body: ServerConfig, gateway: AdminParts) -> Json:
    """Connect to a server and keep it across restarts."""
    if body.command is not None and not gateway.config.allow_stdio_registration:
        raise Forbidden(
            "registering a command to run is off; set allow_stdio_registration in the configuration"
        )
    upstream = await gateway.watch.register(body)
    await gateway.records.keep_server(body.name, body.stored())
    return Json(_server(gateway, upstream), 201)


@router.delete("/servers/{name}")
async def remove(name: str, gateway: AdminParts) -> Json:
    """Disconnect a server and forget it."""
    await gateway.watch.remove(name)
    await gateway.records.drop_server(name)
    return Json({"removed": name})


@router.post("/servers/{name}/refresh")
async def refresh(name: str, gateway: AdminParts) -> Json:
    """List a server's tools again, now."""
    await gateway.watch.refresh(name)
    return Json(_server(gateway, gateway.watch.upstream(name)))


@router.get("/adapters")
async def adapters(gateway: AdminParts) -> Json:
    """Every stored version, and which are in service."""
    stored = [_adapter(gateway, adapter) for adapter in gateway.store.adapters.values()]
    return Json({"adapters": stored})


@router.post("/adapters", status_code=201)
async def add_adapter(body: AdapterBody, gateway: AdminParts) -> Json:
    """Check an adapter folder and copy it into the store."""
    adapter = await gateway.store.add(Path(body.folder))
    return Json(_adapter(gateway, adapter), 201)


@router.post("/adapters/{name}/activate")
async def activate(name: str, gateway: AdminParts, body: ActivateBody | None = None) -> Json:
    """Bring a stored version (or the newest of a name) into service."""
    adapter = gateway.store.find(name)
    await gateway.swap.activate(adapter, body.toolset if body else None)
    return Json(_adapter(gateway, adapter))


@router.post("/adapters/{name}/rollback")
async def rollback(name: str, gateway: AdminParts) -> Json:
    """Bring the version before back into service."""
    active = await gateway.swap.rollback(name)
    return Json(_adapter(gateway, active.adapter))


@router.delete("/adapters/{name}")
async def remove_adapter(name: str, gateway: AdminParts) -> Json:
    """Delete a stored version that is not in service and not kept for a rollback."""
    adapter = gateway.store.find(name)
    active = gateway.active.get(adapter.name)
    if gateway.store.is_configured(adapter.version):
        raise Forbidden(f"adapter {adapter.version} is declared in the configuration file")
    if active is not None and active.adapter.version == adapter.version:
        raise Conflict(f"adapter {adapter.version} is in service")
    if gateway.swap.previous(adapter.name) == adapter.version:
        raise Conflict(f"adapter {adapter.version} is kept for a rollback")
    await gateway.store.remove(adapter.version)
    return Json({"removed": adapter.version})


@router.get("/drift")
async def drift(gateway: AdminParts) -> Json:
    """Drift of every adapter in service."""
    return Json({"adapters": [drift_as_dict(active) for active in gateway.active.all]})


@router.get("/calls")
async def calls(
    gateway: AdminParts,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    outcome: str | None = None,
    labelled: bool = False,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> Json:
    """The call record, newest first."""
    found = await gateway.records.calls(limit, outcome, labelled=labelled, offset=offset)
    return Json({"calls": found})


@router.post("/calls/{call_id}/label")
async def label(call_id: str, body: LabelBody, gateway: AdminParts) -> Json:
    """Say what a recorded call ought to have been; a later label replaces an earlier one."""
    call = await gateway.records.call(call_id)
    if call is None:
        raise NotFound(f"no call {call_id!r} is recorded")
    validators = {name: e.validator for name, e in gateway.watch.catalog.entries.items()}
    kept = checked(body.target, call, validators)
    await gateway.records.label_call(call_id, kept)
    return Json({"id": call_id, "label": kept})


def drift_as_dict(active: Active) -> dict[str, Any]:
    """One adapter's drift, for `/admin/drift` and the command line."""
    return {
        "adapter": active.adapter.version,
        "toolset": active.toolset,
        "toolset_mode": active.adapter.manifest.toolset_mode,
        "listed": active.live is not None,
        "grade": active.drift.worst,
        "trained_fingerprint": active.adapter.toolset.fingerprint,
        "live_fingerprint": active.live.fingerprint if active.live else None,
        "tools": [item.as_dict() for item in active.drift.tools],
    }


def _server(gateway: Parts, upstream: Upstream) -> dict[str, Any]:
    return {
        **upstream.config.shown(),
        "state": upstream.state,
        "error": upstream.error,
        "listed_at": upstream.listed_at,
        "tools": [
            entry.tool.name
            for entry in gateway.watch.catalog.entries.values()
            if entry.server == upstream.name
        ],
        "configured": gateway.watch.is_configured(upstream.name),
    }


def _adapter(gateway: Parts, adapter: Adapter) -> dict[str, Any]:
    active = gateway.active.get(adapter.name)
    in_service = active is not None and active.adapter.version == adapter.version
    return {
        "version": adapter.version,
        "name": adapter.name,
        "digest": adapter.digest,
        "base_model": adapter.manifest.base_model.name,
        "toolset_fingerprint": adapter.toolset.fingerprint,
        "created": adapter.manifest.created,
        "configured": gateway.store.is_configured(adapter.version),
        "in_service": in_service,
        "toolset": active.toolset if active is not None and in_service else None,
        "previous": gateway.swap.previous(adapter.name) if in_service else None,
        "drift": active.drift.worst if active is not None and in_service else None,
    }
