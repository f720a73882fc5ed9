"""The operator's API for adapters: what is stored, in service and on trial."""

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.adapters.trial import TrialKind
from gateway.errors import Conflict, Forbidden
from gateway.faces.admin_answers import AdapterList, AdapterShown, Removed
from gateway.faces.description import problems
from gateway.faces.parts import Parts, admin
from gateway.faces.response import Json
from gateway.manifest import Adapter

router = APIRouter(prefix="/adapters")
AdminParts = Annotated[Parts, Depends(admin)]


class AdapterBody(BaseModel):
    """Body of `POST /admin/adapters`: a folder on the gateway's machine."""

    model_config = ConfigDict(extra="forbid")
    folder: str


class ActivateBody(BaseModel):
    """Body of `.../activate`; the toolset defaults to the one served so far or trained on.

    With `canary` (a percentage of the conversations) or `shadow` the version goes on trial beside
    the one in service, for the same toolset; with `auto` too, the trial ends by itself.
    """

    model_config = ConfigDict(extra="forbid")
    toolset: str | None = None
    canary: Annotated[float, Field(gt=0, le=50)] | None = None
    shadow: bool = False
    auto: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> "ActivateBody":
        if self.canary is not None and self.shadow:
            raise ValueError("a trial is a `canary` or a `shadow`, not both")
        if self.auto and self.kind is None:
            raise ValueError("`auto` ends a trial: it goes with `canary` or `shadow`")
        if self.toolset is not None and self.kind is not None:
            raise ValueError("a version on trial serves the toolset of the one in service")
        return self

    @property
    def kind(self) -> TrialKind | None:
        """The kind of trial, None to bring the version into service."""
        if self.canary is not None:
            return "canary"
        return "shadow" if self.shadow else None

    @property
    def share(self) -> float:
        """The share of the conversations that the trial is drawn for, 0 to 1."""
        return 1.0 if self.canary is None else self.canary / 100


@router.get("", response_model=AdapterList)
async def adapters(gateway: AdminParts) -> Json:
    """Every stored version, and which are in service or on trial."""
    stored = [_adapter(gateway, adapter) for adapter in gateway.store.adapters.values()]
    return Json({"adapters": stored})


@router.post("", status_code=201, response_model=AdapterShown, responses=problems(409, 422))
async def add(body: AdapterBody, gateway: AdminParts) -> Json:
    """Check an adapter folder and copy it into the store."""
    adapter = await gateway.store.add(Path(body.folder))
    return Json(_adapter(gateway, adapter), 201)


@router.post("/{name}/activate", response_model=AdapterShown, responses=problems(404, 409, 422))
async def activate(name: str, gateway: AdminParts, body: ActivateBody | None = None) -> Json:
    """Bring a stored version (or the newest of a name) into service, or on trial."""
    asked = body or ActivateBody()
    adapter = gateway.store.find(name)
    if asked.kind is None:
        await gateway.swap.activate(adapter, asked.toolset)
    else:
        await gateway.swap.start_trial(adapter, asked.kind, asked.share, auto=asked.auto)
    return Json(_adapter(gateway, adapter))


@router.post("/{name}/promote", response_model=AdapterShown, responses=problems(404, 409))
async def promote(name: str, gateway: AdminParts) -> Json:
    """Bring the version on trial into service; a version as the name says which is meant."""
    alias, trial = _alias(name), None
    if alias != name:
        trial = gateway.active.trial(alias)
        if trial is None or trial.adapter.version != gateway.store.find(name).version:
            raise Conflict(f"adapter {name} is not on trial")
    active = await gateway.swap.promote(alias, trial)
    return Json(_adapter(gateway, active.adapter))


@router.post("/{name}/rollback", response_model=AdapterShown, responses=problems(404, 409))
async def rollback(name: str, gateway: AdminParts) -> Json:
    """End the trial under way, or bring the version before back into service."""
    active = await gateway.swap.rollback(_alias(name))
    return Json(_adapter(gateway, active.adapter))


@router.delete("/{name}", response_model=Removed, responses=problems(404, 409))
async def remove(name: str, gateway: AdminParts) -> Json:
    """Delete a stored version that is not in service, on trial or kept for a rollback."""
    adapter = gateway.store.find(name)
    if gateway.store.is_configured(adapter.version):
        raise Forbidden(f"adapter {adapter.version} is declared in the configuration file")
    await gateway.swap.remove(adapter)
    return Json({"removed": adapter.version})


def _alias(name: str) -> str:
    return name.partition("@")[0]


def _adapter(gateway: Parts, adapter: Adapter) -> dict[str, Any]:
    active, trial = gateway.active.get(adapter.name), gateway.active.trial(adapter.name)
    on_trial = trial is not None and trial.adapter.version == adapter.version
    in_service = active is not None and active.adapter.version == adapter.version
    shown = active if in_service else gateway.active.tried(adapter.name) if on_trial else None
    return {
        "version": adapter.version,
        "name": adapter.name,
        "digest": adapter.digest,
        "base_model": adapter.manifest.base_model.name,
        "toolset_fingerprint": adapter.toolset.fingerprint,
        "created": adapter.manifest.created,
        "configured": gateway.store.is_configured(adapter.version),
        "in_service": in_service,
        "toolset": shown.toolset if shown else None,
        "previous": gateway.swap.previous(adapter.name) if in_service else None,
        "drift": shown.drift.worst if shown else None,
        "trial": _trial(gateway, adapter.name) if in_service or on_trial else None,
    }


def _trial(gateway: Parts, name: str) -> dict[str, Any] | None:
    """The trial of a name, with the figures of both versions; the share as a percentage."""
    trial = gateway.active.trial(name)
    if trial is None:
        return None
    figures = {version: c.as_dict() for version, c in gateway.trials.counts(name).items()}
    return {**trial.as_dict(), "share": round(trial.share * 100, 4), "figures": figures}
