"""Rows and masked rows for the tests of the data set check."""

from typing import Any

from gateway.types import Message, Role
from tests.adapters import support_toolset
from training.check.masks import Masked, masked
from training.rows import Row

DESK = support_toolset()


def call(tool: str, **arguments: Any) -> dict[str, Any]:
    return {"tool": tool, "arguments": arguments}


def track(order: str) -> dict[str, Any]:
    return call("track_order", order_id=order)


def no_tool(reason: str = "chat") -> dict[str, Any]:
    return {"tool": "no_tool", "reason": reason}


def row(said: str | list[tuple[Role, str]], target: dict[str, Any], **more: Any) -> Row:
    """A row of the order desk; several turns as (role, text)."""
    turns: list[tuple[Role, str]] = [("user", said)] if isinstance(said, str) else said
    kind = "chat" if target.get("tool") == "no_tool" else "call"
    values: dict[str, Any] = {"kind": kind, "voice": "desk", "toolset": DESK.fingerprint, **more}
    return Row(tuple(Message(role, text) for role, text in turns), target, **values)


def item(
    said: str | list[tuple[Role, str]], target: dict[str, Any], split: str = "train", **more: Any
) -> Masked:
    return masked(row(said, target, **more), DESK, split, 1)
