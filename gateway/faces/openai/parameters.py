"""What the bodies of both APIs share: which tools may be called, and the refusal of the rest.

A parameter that would change an answer and cannot be honoured is refused. What says only how a
request is billed, cached or attributed (`service_tier`, `prompt_cache_key`, `metadata`) changes no
answer here, and is taken.
"""

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BaseModel, WithJsonSchema

from gateway.choice import Choice
from gateway.faces.openai.errors import Unsupported

Refused = Annotated[Any, WithJsonSchema({"enum": [None, False], "description": "Not supported."})]
_NAMED_TOOL = {
    "type": "object",
    "properties": {
        "type": {"const": "function"},
        "function": {
            "type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"],
        },
    },
    "required": ["type", "function"],
}  # fmt: skip
ToolChoice = Annotated[
    str | dict[str, Any] | None,
    WithJsonSchema({"anyOf": [{"enum": [None, "auto", "none", "required"]}, _NAMED_TOOL]}),
]


def only(*values: Any) -> WithJsonSchema:
    """Tells which values are taken; that others are refused, and why, is said when they come."""
    return WithJsonSchema({"enum": [None, *values]})


def refuse(body: BaseModel, names: Iterable[str]) -> None:
    """Raises Unsupported naming the first of the parameters that a body sets."""
    for name in names:
        if getattr(body, name):
            raise Unsupported(name, f"{name} is not supported")


def choice_of(value: str | dict[str, Any] | None, several: bool | None) -> Choice:
    """`tool_choice` and `parallel_tool_calls`. Raises Unsupported for a choice of another kind."""
    parallel = several is not False
    match value:
        case None | "auto":
            return Choice("auto", None, parallel)
        case "none" | "required":
            return Choice(value, None, parallel)
        case {"type": "function", "function": {"name": str(name)}}:
            return Choice("required", name, parallel)
        case _:
            raise Unsupported(
                "tool_choice", "tool_choice must be auto, none, required, or name a tool"
            )
