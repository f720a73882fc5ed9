"""A call that a person approved: validated, made and recorded like any other."""

import uuid

from mcp.types import CallToolResult

from gateway.errors import PointsmanError
from gateway.exchange import results_as_json
from gateway.faces.parts import Parts
from gateway.types import Call


async def call_approved(gateway: Parts, call: Call, approval: str) -> CallToolResult:
    """Validate and make a call; `approval` is the request that was approved.

    Raises:
        UnknownTool, InvalidArguments, UpstreamDown, UpstreamTimeout: as the dispatcher.
    """
    result: CallToolResult | None = None
    failure: PointsmanError | None = None
    try:
        result = await gateway.dispatcher.checked_call(call, approved=True)
    except PointsmanError as exc:
        failure = exc
    gateway.records.note_call(
        {
            "id": f"call_{uuid.uuid4().hex}",
            "face": "responses",
            "outcome": failure.code if failure else "call",
            "calls": [call.as_dict()],
            "reason": str(failure) if failure else None,
            "results": results_as_json([result]) if result else None,
            "approval": approval,
        }
    )
    if failure is not None:
        raise failure
    assert result is not None
    return result
