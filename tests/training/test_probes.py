"""Probes of an adapter whose recipe names none."""

from dataclasses import replace
from typing import Any

from gateway.decide import CallCheck
from gateway.grounding.ground import Ungrounded
from gateway.manifest import Probe
from gateway.types import Route
from tests.training.check.made import DESK, call, no_tool, row, track
from training.evaluation.answers import Answer
from training.probes import chosen
from training.rows import Row

STOCK = call("check_stock", sku="SKU-MUG12")
HELP = call("search_help", query="opening hours")


def answer(row: Row, confidence: float, target: dict[str, Any] | None = None) -> Answer:
    """The row's own target as an answer, or another one."""
    wanted = Row((), target, "call", "test").calls if target else row.calls
    route = Route(calls=wanted, reason=None if wanted else "chat", confidence=confidence)
    return Answer(row, route, tuple(CallCheck(made, ()) for made in wanted), 0.1)


def test_each_kind_of_answer_gives_its_surest_right_one_with_no_tool_first() -> None:
    found = [
        answer(row("where is ORD-1001", track("ORD-1001")), 0.7),
        answer(row("where is ORD-1002", track("ORD-1002")), 0.8),
        answer(row("where is ORD-1003", track("ORD-1003")), 0.99, STOCK),
        answer(row("any SKU-MUG12", STOCK), 0.9),
        answer(row("hello", no_tool()), 0.6),
    ]
    assert chosen(found) == (
        Probe(request="hello", target=no_tool()),
        Probe(request="any SKU-MUG12", target=STOCK),
        Probe(request="where is ORD-1002", target=track("ORD-1002")),
    )
    assert len(chosen(found, 2)) == 2


def test_a_wrong_proposal_that_would_be_withheld_is_no_probe() -> None:
    """Withholding it is right for the row, but a probe judges the proposal."""
    wanted = row("where is order 12345678", no_tool())
    proposed = answer(wanted, 0.9, track("ORD-123456"))
    invented = (Ungrounded("/order_id", "ORD-123456"),)
    withheld = replace(proposed, checks=(replace(proposed.checks[0], grounding=invented),))
    assert withheld.grade().exact
    assert chosen([withheld]) == ()


def test_what_a_probe_cannot_hold_is_left_out() -> None:
    turns = row([("user", "hello"), ("user", "where is ORD-1001")], track("ORD-1001"))
    own = row("any SKU-MUG12", STOCK, offered=DESK)
    lenient = row("when are you open", HELP, accept=("query",))
    assert chosen([answer(item, 0.9) for item in (turns, own, lenient)]) == ()
