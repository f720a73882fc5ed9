"""The tools of each revision, and the check of a call's arguments against their schemas.

Revision 1 is `toolset.json`, the definition the shop shares with others; `outputs.json` adds what
the tools answer. Revision 2 is a later release that drifted from it, made here by naming each
change, so that the difference can be read in one place.
"""

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from jsonschema_rs import Draft202012Validator
from mcp.types import Tool

Revision = Literal[1, 2]
Definition = dict[str, Any]

CURRENCY = {
    "type": "string",
    "pattern": "^[A-Z]{3}$",
    "description": "ISO 4217 code of the order's currency, for example EUR.",
}

GIFT_WRAP: Definition = {
    "name": "gift_wrap",
    "description": "Wrap an order that has not shipped yet as a gift.",
    "inputSchema": {
        "type": "object",
        "properties": {
            "order_id": {
                "type": "string",
                "pattern": "^ORD-[0-9]{4,6}$",
                "description": "Order number, for example ORD-1234.",
            },
            "message": {
                "type": "string",
                "maxLength": 200,
                "description": "Words for the card, if there is to be one.",
            },
        },
        "required": ["order_id"],
        "additionalProperties": False,
    },
    "annotations": {"destructiveHint": False, "idempotentHint": True},
}


@dataclass(frozen=True)
class Toolset:
    """One revision's tools, in the order listed, with a compiled schema for each."""

    revision: Revision
    tools: tuple[Tool, ...]
    validators: Mapping[str, Draft202012Validator]

    def input_schema(self, name: str) -> dict[str, Any] | None:
        """The input schema of the tool with that name, or `None`."""
        return next((tool.input_schema for tool in self.tools if tool.name == name), None)

    def complaints(self, name: str, arguments: dict[str, Any]) -> list[str]:
        """What breaks the tool's schema: `JSON Pointer: message` for each error.

        About the arguments as a whole (whose pointer is empty) the message stands alone.
        """
        return [
            ": ".join(filter(None, (_pointer(error.instance_path), error.message)))
            for error in self.validators[name].iter_errors(arguments)
        ]


@cache
def toolset(revision: Revision) -> Toolset:
    """The toolset of a revision."""
    shared = _read("toolset.json")["tools"]
    definitions = shared if revision == 1 else _drifted(shared)
    outputs = _read("outputs.json")
    outputs["stock_level"] = outputs["check_stock"]
    tools = tuple(
        Tool.model_validate({**each, "outputSchema": outputs[each["name"]]}) for each in definitions
    )
    validators = {
        tool.name: Draft202012Validator(tool.input_schema, validate_formats=True) for tool in tools
    }
    return Toolset(revision, tools, validators)


@cache
def instructions() -> str:
    """What the server tells agents about itself."""
    return str(_read("toolset.json")["instructions"])


def _drifted(shared: list[Definition]) -> list[Definition]:
    tools = {each["name"]: deepcopy(each) for each in shared}
    pickup = tools["schedule_pickup"]["inputSchema"]
    pickup["properties"]["window"]["enum"].remove("evening")
    refund = tools["request_refund"]["inputSchema"]
    refund["properties"]["currency"] = CURRENCY
    refund["required"].append("currency")
    tools["check_stock"]["name"] = "stock_level"
    del tools["exchange_item"]
    tools["gift_wrap"] = GIFT_WRAP
    tools["escalate"]["description"] = "Pass the case on to the support team with a summary."
    tools["track_order"] = _reversed_keys(tools["track_order"])
    return list(tools.values())


def _reversed_keys(value: Any) -> Any:
    """The same JSON with the keys of each object in reverse."""
    if isinstance(value, dict):
        return {key: _reversed_keys(value[key]) for key in reversed(value)}
    return value


def _pointer(path: list[str | int]) -> str:
    """RFC 6901."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _read(name: str) -> dict[str, Any]:
    text = files("mcp_servers.support").joinpath(name).read_text(encoding="utf-8")
    return json.loads(text)
