"""The operator's API for tool definitions that wait for a person: look at them, approve them."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict

from gateway.faces.admin_answers import ApprovedShown, HeldList
from gateway.faces.description import problems
from gateway.faces.parts import Parts, admin
from gateway.faces.response import Json

router = APIRouter()
AdminParts = Annotated[Parts, Depends(admin)]


class ApproveBody(BaseModel):
    """Body of `POST /admin/tools/{name}/approve`: what was looked at. `definition` is the digest
    of the whole definition, which covers what the fingerprint leaves out."""

    model_config = ConfigDict(extra="forbid")
    fingerprint: str
    definition: str | None = None


@router.get("/tools/held", response_model=HeldList)
async def held(gateway: AdminParts) -> Json:
    """Every definition that waits, with its changes and flags."""
    return Json({"held": [item.as_dict() for item in gateway.watch.catalog.held.values()]})


@router.post(
    "/tools/{name:path}/approve",
    response_model=ApprovedShown,
    responses=problems(404, 409, 422),
)
async def approve(name: str, body: ApproveBody, gateway: AdminParts) -> Json:
    """Approve a definition that waits; it is offered from now on."""
    approved = await gateway.watch.approve(name, body.fingerprint, body.definition)
    return Json({"approved": name, "fingerprint": approved.fingerprint})
