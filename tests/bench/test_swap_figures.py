"""What the swap bench makes of replies and swaps."""

from pathlib import Path

import pytest

from tests.bench.load import Sample
from tests.bench.swap import Swapped, Turns, figures, misrouted
from tests.bench.swap_adapters import Version

A, B = "swap@a", "swap@b"
NAMES = {
    A: Version(Path("a"), "track_order", probed=False),
    B: Version(Path("b"), "cancel_order", probed=True),
}
SWAPS = (
    Swapped(A, "start", 0, 0),
    Swapped(B, "activate", 10, 12),
    Swapped(A, "rollback", 20, 20.5),
)


def reply(version: str, tool: str, started: float, ended: float, status: int = 200) -> Sample:
    return Sample(started, ended, status, version, tool, "")


@pytest.mark.parametrize(
    ("sample", "wrong"),
    [
        (reply(A, "track_order", 1, 2), False),
        (reply(A, "cancel_order", 1, 2), True),  # the other version wrote it
        (reply(B, "cancel_order", 1, 2), True),  # not in service yet
        (reply(B, "cancel_order", 9, 11), False),  # taken into service meanwhile
        (reply(A, "track_order", 11, 13), False),  # asked before the swap was done
        (reply(A, "track_order", 13, 14), True),  # out of service already
        (reply(A, "track_order", 21, 22), False),  # rolled back to
        (reply("support@c", "track_order", 1, 2), True),
    ],
)
def test_a_reply_must_come_from_the_version_it_names_while_that_was_in_service(
    sample: Sample, wrong: bool
) -> None:
    assert misrouted(sample, NAMES, SWAPS) == wrong


def test_the_figures_part_replies_that_met_a_swap_from_those_that_did_not() -> None:
    samples = [
        reply(A, "track_order", 1, 3), reply(B, "cancel_order", 11, 14),
        reply(A, "track_order", 20.1, 23.1), reply("", "", 24, 25, status=503),
    ]  # fmt: skip
    found = figures(samples, SWAPS, NAMES)
    assert (found["swaps"], found["requests"], found["failed"], found["misrouted"]) == (2, 4, 1, 0)
    assert found["p95_ratio"] == 1.5
    assert (found["activate_with_probe_s"], found["rollback_s"]) == (2, 0.5)


def test_sides_take_turns_and_go_through_their_versions() -> None:
    names = {f"{side}{n}": Version(Path(), side, probed=False) for n in (1, 2) for side in "xy"}
    turns = Turns(names)
    assert [turns.next(side) for side in ("x", "y", "x", "y", "x")] == [
        "y1",
        "x1",
        "y2",
        "x2",
        "y1",
    ]
