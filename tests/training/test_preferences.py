"""Preference pairs: the rejected answer is tempting, well-formed, and never the right one."""

from pathlib import Path
from typing import Any

import pytest

from gateway.types import Message
from gateway.validate import ToolValidator
from tests.adapters import support_toolset
from training.preferences import preferences
from training.rows import Row, read_rows

DESK = support_toolset()
ROWS = Path(__file__).parents[2] / "training" / "data" / "support" / "validation"


def row(text: str, tool: str | None, **arguments: Any) -> Row:
    target: dict[str, Any] = (
        {"tool": tool, "arguments": arguments} if tool else {"tool": "no_tool", "reason": "chat"}
    )
    return Row((Message("user", text),), target, "call" if tool else "chat", "desk")


FILLING = [row(f"word{n} other{n}", None) for n in range(60)]


def test_the_rejected_answer_is_that_of_the_most_similar_request_with_another_outcome():
    near = row("please refund the kettle 5521", "track_order", order_id="ORD-5521")
    far = row("kettle", "track_order", order_id="ORD-7777")
    mine = row("please refund the kettle", None)
    pairs = preferences([mine, near, far, *FILLING], DESK, 2, 7)
    (pair,) = [pair for pair in pairs if pair.row == mine]
    assert pair.rejected == near.target


def test_a_call_may_be_set_against_itself_without_a_stated_argument():
    rows = [
        row(f"kettle stock {n}", "check_stock", sku="SKU-KET1", warehouse="lyon") for n in range(40)
    ]
    rejected = [pair.rejected for pair in preferences([*rows, *FILLING], DESK, 20, 7, 0.0)]
    assert {"tool": "check_stock", "arguments": {"sku": "SKU-KET1"}} in rejected


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_the_share_of_rows_without_a_call_is_the_one_asked_for(share: float):
    rows = read_rows(ROWS, DESK)
    pairs = preferences(rows, DESK, 30, 7, share)
    assert sum(not pair.row.calls for pair in pairs) == round(30 * share)


def test_no_rejected_answer_is_the_right_one_and_every_call_is_valid():
    validators = {tool.name: ToolValidator(tool) for tool in DESK.tools}
    for pair in preferences(read_rows(ROWS, DESK), DESK, 120, 7):
        assert pair.rejected != pair.row.target
        if "arguments" in pair.rejected:
            assert not validators[pair.rejected["tool"]].errors(pair.rejected["arguments"])


def test_the_same_seed_gives_the_same_pairs():
    rows = read_rows(ROWS, DESK)
    assert preferences(rows, DESK, 50, 7) == preferences(rows, DESK, 50, 7)
    assert preferences(rows, DESK, 50, 7) != preferences(rows, DESK, 50, 8)
