"""Labels: what a person says a recorded call ought to have been.

A label is `right` (what the record proposes, or its no_tool, is the answer), `wrong` (it is not,
and nobody says what is), or the answer that would have been right, in the form the router writes.
Pure functions over the record's values: the records keep labels, the admin face takes them, and
training makes rows of them.
"""

import json
from collections.abc import Mapping
from typing import Any, Literal

from gateway.errors import BadRequest, Conflict, InvalidArguments
from gateway.grammar import parse_answer
from gateway.types import Call
from gateway.validate import ToolValidator

Label = Literal["right", "wrong"] | dict[str, Any]


def answered(call: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a recorded call made or proposed, or its no_tool; None if it came to neither.

    What could not be read or broke the schema is no answer, so it is never right.
    """
    proposed = call.get("calls") or call.get("proposal")
    if proposed and call["outcome"] != "invalid":
        return _of_calls(proposed)
    return _no_tool(call.get("reason")) if call["outcome"] == "no_tool" else None


def checked(
    label: Label, call: Mapping[str, Any], validators: Mapping[str, ToolValidator]
) -> Label:
    """The label in the form that is kept; `validators` are those of the live tools.

    Raises:
        Conflict: the call was recorded without its conversation, so a label teaches nothing.
        BadRequest: nothing was proposed that could be right, or the target is no answer.
        InvalidArguments: the target breaks the schema of its tool.
    """
    if not call.get("messages"):
        raise Conflict(f"call {call['id']} was recorded without its conversation")
    if label == "right" and answered(call) is None:
        raise BadRequest(f"call {call['id']} proposed nothing that could be right")
    if isinstance(label, str):
        return label
    try:
        route = parse_answer(json.dumps(label))
    except RecursionError as exc:
        raise BadRequest("the target is nested too deeply") from exc
    if route.error is not None:
        raise BadRequest(f"the target is none of a call, several calls, or no_tool: {route.error}")
    for made in route.calls:
        _require_valid(made, validators)
    if route.is_no_tool:
        return _no_tool(route.reason)
    return _of_calls([made.as_dict() for made in route.calls])


def _require_valid(call: Call, validators: Mapping[str, ToolValidator]) -> None:
    if call.tool not in validators:
        raise BadRequest(f"the target calls {call.tool!r}, which is no live tool")
    errors = validators[call.tool].errors(call.arguments)
    if errors:
        raise InvalidArguments(call.tool, [error.as_dict() for error in errors])


def _of_calls(calls: list[dict[str, Any]]) -> dict[str, Any]:
    return calls[0] if len(calls) == 1 else {"calls": calls}


def _no_tool(reason: str | None) -> dict[str, Any]:
    return {"tool": "no_tool", "reason": reason or "no tool fits"}
