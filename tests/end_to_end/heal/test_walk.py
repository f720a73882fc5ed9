"""The walk-through of `deploy/HEAL.md`: its commands, run as printed."""

import pytest

from tests.end_to_end.heal.walk import PAGE, PORT, blocks, walk, whole
from tests.ports import free_port


def test_the_page_has_a_gateway_and_seven_steps_that_say_how_they_end():
    first, *steps = blocks(PAGE.read_text())
    assert first.stays
    assert f"--port {PORT}" in first.script
    assert [step.code for step in steps] == [11, 11, 0, 0, 0, 0, 0]
    assert not any(step.stays for step in steps)


def test_the_whole_page_keeps_all_rows_and_learns_them_once():
    page = PAGE.read_text()
    few, all_rows = ([line.rstrip(" \\") for line in t.splitlines()] for t in (page, whole(page)))
    gone = [line for line in few if line not in all_rows]
    new = [line for line in all_rows if line not in few]
    assert gone.pop(0) == "    --keep train=150 --keep validation=40 --keep test=40"
    in_its_place = {"--epochs 2": "--epochs 1", ".runs/heal/run": ".runs/heal/whole-run"}
    assert len(new) == len(gone) == 3
    for before, after in zip(gone, new, strict=True):
        (changed,) = (a for a in in_its_place if a in before)
        assert after == before.replace(changed, in_its_place[changed])
    with pytest.raises(ValueError, match="0 steps with --keep"):
        whole("no page")


def test_a_mark_that_is_none_is_refused():
    with pytest.raises(ValueError, match="no such mark"):
        blocks("<!-- runs sometimes -->\n```sh\ntrue\n```\n")


@pytest.mark.slow
def test_the_circle_from_a_warning_to_an_adapter_without_one():
    found = walk(free_port(), PAGE.read_text())
    assert found["exact_after"] > found["exact_before"]
    assert found["wrong_after"] <= 0.1 * found["rows"]
    assert found["header_before"].startswith("removed; adapter=support; tools=request_refund,")
