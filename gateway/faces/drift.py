"""The operator's API for drift: what it is now, what is done about it, what is not warned of."""

from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from gateway.adapters.active import Active
from gateway.adapters.measured import SHOWN_FLIPS
from gateway.adapters.silences import Silence, fault, silence_as_dict
from gateway.drift_policy import DriftPolicy, faults
from gateway.errors import BadRequest
from gateway.faces.admin_answers import (
    DriftList,
    PolicyShown,
    Removed,
    SilenceList,
    SilenceShown,
)
from gateway.faces.description import problems
from gateway.faces.parts import Parts, admin
from gateway.faces.response import Json

router = APIRouter()
AdminParts = Annotated[Parts, Depends(admin)]


@router.get("/drift", response_model=DriftList)
async def drift(gateway: AdminParts) -> Json:
    """Drift of every adapter in service, and what the policy does about it."""
    return Json({"adapters": [_in_service(gateway, active) for active in gateway.active.all]})


@router.get("/drift/policy", response_model=PolicyShown)
async def policy(gateway: AdminParts) -> Json:
    """The policy in force, and whether an administrator set it or the configuration did."""
    return Json(_policy(gateway))


@router.put("/drift/policy", response_model=PolicyShown, responses=problems(422))
async def put_policy(body: DriftPolicy, gateway: AdminParts) -> Json:
    """Put a whole policy in force; it outlives restarts and goes before the configuration's."""
    known = {adapter.name for adapter in gateway.store.adapters.values()}
    if found := faults(body, known):
        raise BadRequest(f"{'; '.join(found)}; stored: {', '.join(sorted(known)) or 'none'}")
    await gateway.drift_policy.put(body)
    return Json(_policy(gateway))


@router.delete("/drift/policy", response_model=PolicyShown)
async def reset_policy(gateway: AdminParts) -> Json:
    """Go back to the configuration's policy."""
    await gateway.drift_policy.reset()
    return Json(_policy(gateway))


@router.get("/drift/silences", response_model=SilenceList)
async def silences(gateway: AdminParts) -> Json:
    """Every silence that has not expired."""
    found = [silence_as_dict(key, item) for key, item in gateway.silences.all.items()]
    return Json({"silences": found})


@router.post(
    "/drift/silences", status_code=201, response_model=SilenceShown, responses=problems(422)
)
async def silence(body: Silence, gateway: AdminParts) -> Json:
    """Warn of some drift no more until a time; what is done about it stays."""
    if found := fault(body, _tools(gateway)):
        raise BadRequest(found)
    key = await gateway.silences.add(body)
    return Json(silence_as_dict(key, body), 201)


@router.delete("/drift/silences/{key}", response_model=Removed, responses=problems(404))
async def unsilence(key: str, gateway: AdminParts) -> Json:
    """End a silence; what it silenced is warned of now."""
    await gateway.silences.remove(key)
    return Json({"removed": key})


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


def _in_service(gateway: Parts, active: Active) -> dict[str, Any]:
    answering = gateway.active.resolve(active.adapter.name).adapter.version
    notice = gateway.notices.current(active.adapter.version)
    return {
        **drift_as_dict(active),
        "action": gateway.active.action_on(active.adapter, active.drift),
        "answered_by": answering,
        "silenced": notice is not None and gateway.notices.is_silenced(notice),
        **_cost(gateway, active.adapter.version),
    }


def _cost(gateway: Parts, version: str) -> dict[str, Any]:
    """What the drift of a version was measured to cost, and how far the measurement is."""
    measuring = gateway.measuring
    if measuring is None:
        return {}
    found, progress = measuring.found(version), measuring.progress(version)
    return {
        "measuring": asdict(progress) if progress else None,
        "measured": found.impact.summary if found else None,
        "impact": found.impact.as_dict(SHOWN_FLIPS) if found else None,
    }


def _tools(gateway: Parts) -> Mapping[str, Collection[str]]:
    """The tools that each stored adapter (by its name) learned or is offered now."""
    live = gateway.watch.catalog.entries.keys()
    found: dict[str, set[str]] = {}
    for adapter in gateway.store.adapters.values():
        found.setdefault(adapter.name, set(live)).update(adapter.toolset.by_name)
    return found


def _policy(gateway: Parts) -> dict[str, Any]:
    held = gateway.drift_policy
    return {
        **held.current.model_dump(),
        "set_by": "configuration" if held.wanted is None else "admin",
    }
