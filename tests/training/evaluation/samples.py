"""Answers as an engine and the gateway's checks leave them, made by hand."""

from typing import Any

from gateway.types import Call, Message, Route
from tests.adapters import support_toolset
from training.evaluation.answers import Answer, Judge
from training.rows import Row

DESK = support_toolset()
JUDGE = Judge(DESK)
NO_TOOL: dict[str, Any] = {"tool": "no_tool", "reason": "chat"}


def track(order: str = "ORD-1234") -> dict[str, Any]:
    return {"tool": "track_order", "arguments": {"order_id": order}}


def cancel(order: str = "ORD-1234", reason: str = "too late") -> dict[str, Any]:
    return {"tool": "cancel_order", "arguments": {"order_id": order, "reason": reason}}


def row(text: str, target: dict[str, Any], kind: str = "call", voice: str = "plain") -> Row:
    return Row((Message("user", text),), target, kind, voice)


def answer(
    wanted: dict[str, Any],
    *proposed: dict[str, Any],
    confidence: float | None = None,
    text: str = "ORD-1234, ORD-5678",
    kind: str = "call",
    voice: str = "plain",
    seconds: float = 0.0,
) -> Answer:
    """A judged answer that proposes these calls; without any it is no_tool."""
    calls = tuple(Call(call["tool"], call["arguments"]) for call in proposed)
    route = Route(calls, None if calls else "chat", confidence=confidence)
    return JUDGE.answer(row(text, wanted, kind, voice), route, seconds)
