"""The gate: other people's rows pass the checks of our own, and what does not is kept apart."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.training.imports.samples import CANCEL, DESK, TRACK
from training.imports.gate import Imported, Refused, gate, write
from training.rows import Row, read_rows, require_own_tools, require_toolset

NO_TOOL = {"tool": "no_tool", "reason": "chat"}
GOOD: dict[str, Any] = {"request": "where is ORD-4821?", "target": TRACK}
OWN = [{"name": "find", "inputSchema": {"type": "object", "properties": {"q": {"type": "string"}}}}]
FIND = {"tool": "find", "arguments": {"q": "shoes"}}


def passed(**value: Any) -> Row:
    gated = gate([Imported({**GOOD, **value}, "x:1")], DESK, "voice")
    assert gated.refused == ()
    return gated.rows[0]


def reason(**value: Any) -> str:
    (refused,) = gate([Imported({**GOOD, **value}, "x:1")], DESK, "voice").refused
    assert (refused.place, refused.raw) == ("x:1", {**GOOD, **value})
    return refused.reason


def test_a_row_without_tools_is_one_of_the_given_toolset():
    row = passed()
    assert (row.toolset, row.offered, row.voice) == (DESK.fingerprint, None, "voice")
    require_toolset([row], DESK)


def test_own_tools_that_are_the_toolset_by_content_become_its_fingerprint():
    row = passed(tools=DESK.to_json()["tools"][::-1])
    assert (row.toolset, row.offered) == (DESK.fingerprint, None)


def test_own_tools_stay_with_the_row_and_its_target_is_checked_against_them():
    row = passed(tools=OWN, target=FIND)
    require_own_tools([row], DESK)
    assert "is not in the toolset" in reason(tools=OWN)


def test_a_row_that_only_names_another_toolset_is_refused():
    assert reason(toolset="0123456789abcdef") == (
        f"made for toolset 0123456789abcdef, not for support ({DESK.fingerprint[:16]})"
    )
    assert passed(toolset=DESK.fingerprint[:16]).toolset == DESK.fingerprint[:16]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"target": {"tool": "fly", "arguments": {}}}, "target tool 'fly' is not in the toolset"),
        ({"target": {"tool": "track_order", "arguments": {"order_id": "12"}}},
         "target breaks the schema: /order_id"),
        ({"target": {"tool": "track_order"}}, "not of the form {tool, arguments}"),
        ({"request": "  "}, "request must be a text"),
        ({"request": "where is my order?"},
         "not in what the user or a tool says: track_order/order_id 'ORD-4821'"),
        ({"target": {"calls": [TRACK, {**CANCEL, "arguments": {"order_id": "ORD-9"}}]}},
         "target breaks the schema"),
        ({"kind": "chat"}, "kind 'chat' does not fit the target"),
        ({"kind": "call", "target": NO_TOOL}, "kind 'call' does not fit the target"),
        ({"kind": "joke"}, "unknown kind 'joke'"),
        ({"tools": [], "target": NO_TOOL}, "the row offers no tools"),
        ({"tools": [{"name": "x"}], "target": NO_TOOL}, "inputSchema"),
        ({"tools": [{"name": "x", "inputSchema": {"type": "object", "properties": 3}}],
          "target": NO_TOOL}, "cannot be compiled"),
        ({"request": "half \ud83d", "target": NO_TOOL}, "not valid Unicode"),
        ({"target": 3}, "the target is no answer"),
    ],
)  # fmt: skip
def test_a_row_that_is_no_example_is_refused_with_the_reason(value: dict[str, Any], said: str):
    assert said in reason(**value)
    assert "\n" not in reason(**value)


def test_a_conversation_in_which_the_user_says_nothing_is_refused():
    value = {"messages": [{"role": "system", "content": "hi"}], "target": NO_TOOL}
    (refused,) = gate([Imported(value, "x:1")], DESK, "voice").refused
    assert refused.reason == "the user says nothing"


def test_what_the_assistant_alone_says_grounds_nothing():
    said = [
        {"role": "user", "content": "where is my order?"},
        {"role": "assistant", "content": "ORD-4821?"},
    ]
    gated = gate([Imported({"messages": said, "target": TRACK}, "x:1")], DESK, "voice")
    assert gated.rows == ()
    yes = [*said, {"role": "user", "content": "yes, 4821"}]
    assert gate([Imported({"messages": yes, "target": TRACK}, "x:1")], DESK, "v").refused == ()


def test_what_the_reader_refused_stays_refused_in_its_place():
    broken = Refused("x:1", "no JSON", "{")
    gated = gate([broken, Imported(GOOD, "x:2")], DESK, "voice")
    assert gated.refused == (broken,)
    assert [row.place for row in gated.rows] == ["x:2"]


def test_written_rows_are_read_again_and_the_refused_stand_outside_the_split(tmp_path: Path):
    found = [
        Imported({**GOOD, "request": "wo ist ORD-4821, höflich gefragt? ✓"}, "x:1"),
        Imported({**GOOD, "tools": OWN, "target": FIND}, "x:2"),
        Imported({**GOOD, "request": "half \ud83d"}, "x:3"),
    ]
    gated = gate(found, DESK, "mail")
    file, aside = write(gated, tmp_path, "train", "mail")
    assert file == tmp_path / "train" / "mail.jsonl"
    assert aside == tmp_path / "refused" / "train" / "mail.jsonl"
    again = read_rows(tmp_path / "train", DESK)
    assert [row.messages for row in again] == [row.messages for row in gated.rows]
    assert [row.target for row in again] == [TRACK, FIND]
    require_toolset(again[:1], DESK)
    require_own_tools(again[1:], DESK)
    (line,) = aside.read_text().splitlines()
    assert json.loads(line) == {
        "place": "x:3",
        "reason": gated.refused[0].reason,
        "raw": {**GOOD, "request": "half \ud83d"},
    }


def test_rows_are_not_overwritten(tmp_path: Path):
    gated = gate([Imported(GOOD, "x:1")], DESK, "voice")
    file, _ = write(gated, tmp_path, "train", "a")
    before = file.read_text()
    with pytest.raises(FileExistsError, match="another --name"):
        write(gated, tmp_path, "train", "a")
    assert file.read_text() == before


@pytest.mark.parametrize("cut", ["train/a.jsonl", "refused/train/a.jsonl"])
def test_an_import_that_was_cut_off_leaves_no_rows_and_is_repeated(tmp_path: Path, cut: str):
    gated = gate([Refused("x:1", "no JSON", "{"), Imported(GOOD, "x:2")], DESK, "voice")
    file = tmp_path / cut
    # What stands in the way of the half-written file makes writing fail, as a full disk would.
    way = file.with_name(f".{file.name}.partial")
    way.mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        write(gated, tmp_path, "train", "a")
    assert not list(tmp_path.glob("train/*.jsonl"))
    way.rmdir()
    rows, aside = write(gated, tmp_path, "train", "a")
    assert len(read_rows(rows, DESK)) == len(aside.read_text().splitlines()) == 1


def test_what_was_refused_before_goes_when_it_passes(tmp_path: Path):
    _, aside = write(gate([Refused("x:1", "no JSON", "{")], DESK, "v"), tmp_path, "train", "a")
    assert aside.exists()
    write(gate([Imported(GOOD, "x:1")], DESK, "v"), tmp_path, "train", "a")
    assert not aside.exists()
