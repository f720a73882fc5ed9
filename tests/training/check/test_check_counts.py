"""Figures: what a split holds, and the shares that training wants."""

from tests.training.check.made import DESK, call, item, no_tool, track
from training.check.counts import figures, share_findings
from training.check.masks import Masked

ROWS = [
    item("where is 4821", track("ORD-4821")),
    item("Where is 90210?", track("ORD-90210"), voice="mails"),
    item(
        "shipped orders of a@b.io, and where is 4821",
        {"calls": [call("list_orders", customer_email="a@b.io", status="shipped"),
                   track("ORD-4821")]},
    ),
    item([("user", "hi"), ("assistant", "hello"), ("user", "bye")], no_tool()),
]  # fmt: skip


def test_the_figures_of_a_split():
    assert figures(ROWS, DESK) == {
        "rows": 4,
        "masked_forms": 3,
        "tools": {"track_order": 3, "list_orders": 1},
        "optional": {
            "list_orders.limit": {"stated": 0, "of": 1},
            "list_orders.status": {"stated": 1, "of": 1},
        },
        "kinds": {"call": 3, "chat": 1},
        "voices": {"desk": 3, "mails": 1},
        "no_tool": {"rows": 1, "share": 0.25},
        "several_turns": {"rows": 1, "share": 0.25},
        "several_calls": {"rows": 1, "share": 0.25},
    }


def shares(split: str, calls: int, chats: int, turns: int) -> list[str]:
    rows: list[Masked] = [
        item(f"where is {n}", track(f"ORD-{n}")) for n in range(1000, 1000 + calls)
    ]
    rows += [item("hi", no_tool()) for _ in range(chats)]
    rows += [item([("user", "hi"), ("user", "bye")], no_tool()) for _ in range(turns)]
    return [finding.rule for finding in share_findings({split: figures(rows, DESK)})]


def test_a_training_split_should_have_10_to_20_percent_no_tool_and_10_percent_several_turns():
    assert shares("train", 18, 0, 2) == []
    assert shares("train", 16, 2, 2) == []
    assert shares("train", 19, 1, 0) == ["no_tool_share", "several_turns_share"]
    assert shares("train", 15, 0, 5) == ["no_tool_share"]
    assert shares("train", 17, 3, 0) == ["several_turns_share"]


def test_other_splits_may_have_any_shares():
    assert shares("test", 20, 0, 0) == []
