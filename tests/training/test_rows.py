"""Rows: every broken line is refused with its number and its reason."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from gateway.fingerprint import digest
from gateway.types import Call, Message
from tests.adapters import support_toolset
from training.rows import (
    Row,
    RowError,
    ToolsetMismatch,
    read_rows,
    require_own_tools,
    require_toolset,
    row_json,
    rows_digest,
)

DESK = support_toolset()
TRACK: dict[str, Any] = {"tool": "track_order", "arguments": {"order_id": "ORD-1234"}}
NO_TOOL = {"tool": "no_tool", "reason": "chat"}
GOOD: dict[str, Any] = {"request": "where is ORD-1234?", "target": TRACK}


def write(folder: Path, *rows: Any, name: str = "desk.jsonl") -> Path:
    """A file of rows; a text is written as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    (folder / name).write_text("\n".join(lines), encoding="utf-8")
    return folder / name


def read_one(tmp_path: Path, row: Any) -> Row:
    (read,) = read_rows(write(tmp_path, row), DESK)
    return read


def test_a_request_is_a_row(tmp_path: Path):
    assert read_one(tmp_path, GOOD) == Row(
        messages=(Message("user", "where is ORD-1234?"),), target=TRACK, kind="call", voice="desk"
    )


def test_a_conversation_is_a_row(tmp_path: Path):
    turns = [
        {"role": "user", "content": "where is it?"},
        {"role": "assistant", "content": "the number?"},
        {"role": "user", "content": "1234 ✓"},
    ]
    row = read_one(tmp_path, {"messages": turns, "target": TRACK, "kind": "call"})
    assert row.messages[1] == Message("assistant", "the number?")
    assert row.text == "where is it?\n1234 ✓"


@pytest.mark.parametrize(
    ("target", "calls"),
    [
        (TRACK, [TRACK]),
        (NO_TOOL, []),
        ({"calls": [TRACK, TRACK]}, [TRACK, TRACK]),
    ],
)
def test_the_wanted_calls_are_those_of_the_target(tmp_path: Path, target: Any, calls: list[Any]):
    row = read_one(tmp_path, {"request": "x", "target": target})
    assert row.calls == tuple(Call(call["tool"], call["arguments"]) for call in calls)


def test_kind_voice_and_accept_may_be_said_and_are_otherwise_derived(tmp_path: Path):
    assert read_one(tmp_path, GOOD | {"target": NO_TOOL}).kind == "chat"
    said = read_one(
        tmp_path, GOOD | {"target": NO_TOOL, "kind": "injection", "voice": "v", "accept": ["note"]}
    )
    assert (said.kind, said.voice, said.accept) == ("injection", "v", ("note",))


def test_empty_lines_are_skipped_and_still_counted(tmp_path: Path):
    file = write(tmp_path, "", GOOD, "   ", GOOD, "{")
    with pytest.raises(RowError, match=re.escape(f"{file}:5: ")):
        read_rows(file, DESK)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("{", "Expecting property name"),
        ("where is my order?", "Expecting value"),
        (GOOD | {"target": {"tool": "fly", "arguments": {}}}, "target tool 'fly' is not in"),
        (GOOD | {"target": {"tool": "track_order", "arguments": {"order_id": "12"}}},
         "target breaks the schema: /order_id: "),
        (GOOD | {"target": {"tool": "track_order", "arguments": {}}},
         "target breaks the schema: /: "),
        (GOOD | {"target": {"tool": "track_order", "arguments": TRACK["arguments"] | {"x": 1}}},
         "target breaks the schema"),
        (GOOD | {"target": {"calls": [TRACK, {"tool": "fly", "arguments": {}}]}}, "'fly'"),
        (GOOD | {"kind": "joke"}, "unknown kind 'joke'"),
        ({"target": TRACK}, "a row needs `request` or `messages`"),
        ({"request": "", "target": TRACK}, "request must be a text"),
        ({"request": "  \n", "target": TRACK}, "request must be a text"),
        ({"request": 3, "target": TRACK}, "request must be a text"),
        ({"messages": [], "target": TRACK}, "messages must be a list of turns"),
        ({"messages": 3, "target": TRACK}, "messages must be a list of turns"),
        ({"messages": ["x"], "target": TRACK}, "messages must be a list of turns"),
        ({"messages": [{"role": "user"}], "target": TRACK}, "content must be a text"),
        ({"messages": [{"content": "x"}], "target": TRACK}, "messages need a role"),
        ("[1]", "a row is a JSON object"),
        ({"request": "x"}, "a row needs a `target`"),
        (GOOD | {"target": []}, "the target is no answer: the answer is not a JSON object"),
        (GOOD | {"target": {"tool": "track_order"}}, "not of the form {tool, arguments}"),
        (GOOD | {"target": {**TRACK, "why": "x"}}, "not of the form {tool, arguments}"),
        (GOOD | {"target": {"calls": 3}}, "not of the form {tool, arguments}"),
        (GOOD | {"target": {"calls": [TRACK] * 9}}, "an answer makes 1 to 8 calls, this one 9"),
        (GOOD | {"accept": "note"}, "accept must be a list"),
        (GOOD | {"accept": [3]}, "accept must be a list"),
        (GOOD | {"voice": 3}, "voice must be a text"),
        (GOOD | {"tools": 3}, "a toolset needs a name and at least one tool"),
        ("[" * 100_000, "nested too deeply"),
        ('{"request": "x", "target": ' + '{"a": ' * 50_000 + "1" + "}" * 50_001,
         "nested too deeply"),
        ({"messages": [{"role": "robot", "content": "x"}], "target": TRACK},
         "messages need a role"),
    ],
)  # fmt: skip
def test_a_broken_line_is_refused_with_file_number_and_reason(
    tmp_path: Path, row: Any, reason: str
):
    file = write(tmp_path, GOOD, row, GOOD)
    with pytest.raises(RowError, match=re.escape(f"{file}:2: ")) as caught:
        read_rows(file, DESK)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "row",
    [
        "[]", "null", "3", '"x"',
        {"request": "x"},
        {"request": "x", "target": None},
        {"request": "x", "target": "no_tool"},
        {"request": "x", "target": []},
        {"request": "x", "target": {}},
        {"request": "x", "target": {"tool": "track_order"}},
        {"request": "x", "target": {"tool": "track_order", "arguments": None}},
        {"request": "x", "target": {"calls": []}},
        {"request": "x", "target": {"calls": {}}},
        {"request": "x", "target": {"calls": [NO_TOOL, TRACK]}},
        {"request": "x", "target": {"calls": ["track_order"]}},
        {"request": "x", "target": {"calls": [TRACK] * 9}},
        {"request": "x", "target": TRACK, "accept": 3},
        {"messages": 3, "target": TRACK},
        {"messages": ["x"], "target": TRACK},
        {"messages": [{"role": "user"}], "target": TRACK},
        {"messages": [{"role": "user", "content": None}], "target": TRACK},
        {"messages": [{"role": "user", "content": ["x"]}], "target": TRACK},
    ],
)  # fmt: skip
def test_no_broken_line_gets_past_the_gate(tmp_path: Path, row: Any):
    file = write(tmp_path, row)
    with pytest.raises(RowError, match=re.escape(f"{file}:1: ")):
        read_rows(file, DESK)


def test_a_text_may_hold_any_line_separator_but_the_line_feed(tmp_path: Path):
    row = read_one(tmp_path, GOOD | {"request": "one\u2028two\u0085three\x0cfour"})
    assert row.text == "one\u2028two\u0085three\x0cfour"


def test_a_folder_is_read_in_the_order_of_the_files_names(tmp_path: Path):
    write(tmp_path, GOOD | {"request": "second"}, name="b.jsonl")
    write(tmp_path, GOOD | {"request": "first"}, name="a.jsonl")
    (tmp_path / "notes.txt").write_text("no row")
    rows = read_rows(tmp_path, DESK)
    assert [(row.voice, row.text) for row in rows] == [("a", "first"), ("b", "second")]


def test_no_rows_at_all_is_an_error(tmp_path: Path):
    with pytest.raises(RowError, match="no rows"):
        read_rows(tmp_path, DESK)
    with pytest.raises(RowError, match="no rows"):
        read_rows(write(tmp_path, "", "\n"), DESK)


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(RowError, match=r"nowhere\.jsonl: No such file"):
        read_rows(tmp_path / "nowhere.jsonl", DESK)


def test_a_file_that_is_no_text_is_named(tmp_path: Path):
    (tmp_path / "x.jsonl").write_bytes(b"\xff\xfe{}")
    with pytest.raises(RowError, match=r"x\.jsonl"):
        read_rows(tmp_path / "x.jsonl", DESK)


def test_the_digest_follows_content_and_order_but_not_files_or_voices(tmp_path: Path):
    other = GOOD | {"request": "and ORD-1234?"}
    rows = read_rows(write(tmp_path / "one", GOOD, other), DESK)
    write(tmp_path / "two", GOOD, name="a.jsonl")
    write(tmp_path / "two", other, name="b.jsonl")
    assert rows_digest(read_rows(tmp_path / "two", DESK)) == rows_digest(rows)
    assert rows_digest(rows[::-1]) != rows_digest(rows)
    assert rows_digest(rows[:1]) != rows_digest(rows)
    changed = read_rows(write(tmp_path / "three", GOOD | {"target": NO_TOOL}, other), DESK)
    assert rows_digest(changed) != rows_digest(rows)


def own_tools(name: str = "find") -> list[dict[str, Any]]:
    schema = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}
    return [{"name": name, "description": "Find.", "inputSchema": schema}]


def test_rows_made_for_exactly_this_toolset_pass(tmp_path: Path):
    short = {**GOOD, "toolset": DESK.fingerprint[:16]}
    full = {**GOOD, "toolset": DESK.fingerprint}
    require_toolset(read_rows(write(tmp_path, short, full), DESK), DESK)


def test_rows_made_for_another_toolset_or_none_are_listed(tmp_path: Path):
    good = {**GOOD, "toolset": DESK.fingerprint}
    other = {**GOOD, "toolset": "0123456789abcdef"}
    rows = read_rows(write(tmp_path, good, other, GOOD), DESK)
    with pytest.raises(ToolsetMismatch) as refusal:
        require_toolset(rows, DESK)
    text = str(refusal.value)
    assert "2 of 3 rows" in text
    assert "desk.jsonl:2: 0123456789abcdef" in text
    assert "desk.jsonl:3: names no toolset" in text
    assert "desk.jsonl:1" not in text


def test_a_long_list_of_refused_rows_is_cut_and_counted(tmp_path: Path):
    rows = read_rows(write(tmp_path, *[GOOD] * 25), DESK)
    with pytest.raises(ToolsetMismatch, match="and 15 more"):
        require_toolset(rows, DESK)


def test_a_row_with_its_own_tools_is_checked_against_them(tmp_path: Path):
    row = {
        "request": "x",
        "tools": own_tools(),
        "target": {"tool": "find", "arguments": {"q": "x"}},
    }
    read = read_one(tmp_path, row)
    assert read.offered is not None
    assert read.toolset == read.offered.fingerprint
    require_own_tools([read], DESK)
    with pytest.raises(RowError, match="not in the toolset"):
        read_one(tmp_path, {**row, "target": TRACK})
    with pytest.raises(ToolsetMismatch, match="carry no tools"):
        require_own_tools([read_one(tmp_path, GOOD)], DESK)


def test_the_tools_on_offer_are_part_of_the_digest(tmp_path: Path):
    target = {"tool": "no_tool", "reason": "chat"}
    one, two = (
        read_one(tmp_path, {"request": "x", "tools": own_tools(name), "target": target})
        for name in ("find", "seek")
    )
    assert rows_digest([one]) != rows_digest([two])


def test_what_a_row_accepts_is_part_of_the_digest_whatever_its_order(tmp_path: Path):
    plain, one, two, turned = (
        rows_digest([read_one(tmp_path, {**GOOD, "accept": accept})])
        for accept in ([], ["note"], ["note", "street"], ["street", "note"])
    )
    assert len({plain, one, two}) == 3
    assert turned == two
    assert plain == rows_digest([read_one(tmp_path, GOOD)])


def test_rows_that_accept_nothing_more_keep_the_digest_that_older_reports_name(tmp_path: Path):
    wanted = digest([[["user", "where is ORD-1234?"], TRACK]])
    assert rows_digest([read_one(tmp_path, GOOD)]) == wanted


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({**GOOD, "tools": []}, "offers no tools"),
        ({**GOOD, "tools": [{"name": "x"}]}, "inputSchema"),
        ({**GOOD, "toolset": "abc"}, "16 digits"),
        ({**GOOD, "toolset": 7}, "16 digits"),
    ],
)
def test_a_broken_toolset_of_a_row_is_refused(tmp_path: Path, row: Any, reason: str):
    with pytest.raises(RowError, match=reason):
        read_one(tmp_path, row)


@pytest.mark.parametrize(
    "row",
    [
        GOOD,
        {**GOOD, "toolset": "0123456789abcdef", "accept": ["note"], "voice": "mine"},
        {
            "messages": [
                {"role": "user", "content": "a"},
                {"role": "assistant", "content": "b"},
                {"role": "user", "content": "c"},
            ],
            "target": NO_TOOL,
        },
        {"request": "x", "tools": own_tools(), "target": NO_TOOL, "kind": "out_of_scope"},
    ],
)
def test_a_row_written_and_read_again_is_the_same_row(tmp_path: Path, row: Any):
    read = read_one(tmp_path, row)
    again = read_one(tmp_path, row_json(read))
    assert again.messages == read.messages
    assert again.target == read.target
    assert (again.kind, again.voice, again.accept) == (read.kind, read.voice, read.accept)
    assert (again.toolset or "")[:16] == (read.toolset or "")[:16]
