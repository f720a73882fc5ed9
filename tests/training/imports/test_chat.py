"""OpenAI's chat form: one row an answer, shown as serving shows it, and nothing read wrongly."""

from pathlib import Path
from typing import Any

import pytest

from gateway.types import Toolset
from tests.gateway.serving import served, settings
from tests.training.imports.samples import (
    CANCEL,
    DESK,
    STORY,
    TRACK,
    calls,
    imported,
    offered,
    refused,
    result,
    says,
    user,
    write,
)
from training.imports.chat import read


def one(tmp_path: Path, *messages: Any, **more: Any) -> Path:
    return write(tmp_path / "chat.jsonl", {"messages": list(messages), **more})


def targets(path: Path) -> list[Any]:
    return [item.value["target"] for item in imported(read(path))]


def test_every_turn_with_calls_and_the_last_text_become_rows(tmp_path: Path):
    rows = imported(read(one(tmp_path, *STORY)))
    assert [row.value["target"] for row in rows] == [
        TRACK, CANCEL, {"tool": "no_tool", "reason": "ORD-4821 is cancelled."},
    ]  # fmt: skip
    assert [len(row.value["messages"]) for row in rows] == [2, 6, 8]
    assert [row.place for row in rows] == [
        f"{tmp_path / 'chat.jsonl'}:1 message {number}" for number in (3, 7, 9)
    ]


async def test_the_messages_are_those_that_serving_shows_to_the_router(tmp_path: Path):
    row = imported(read(one(tmp_path, *STORY)))[1]
    async with served(settings(tmp_path)) as gateway:
        asked = {"messages": STORY[:6], "tools": offered()}
        response = await gateway.post("/v1/chat/completions", asked)
        assert response.status_code == 200
        (call,) = await gateway.parts.records.calls()
    assert [[m["role"], m["content"]] for m in row.value["messages"]] == call["messages"]


def test_several_calls_of_one_turn_are_one_target(tmp_path: Path):
    path = one(tmp_path, user("where is ORD-4821, and cancel it"), calls(TRACK, CANCEL))
    assert targets(path) == [{"calls": [TRACK, CANCEL]}]


def test_a_tool_without_arguments_may_be_called_with_an_empty_text(tmp_path: Path):
    path = one(tmp_path, user("hours?"), calls({"tool": "hours", "arguments": ""}))
    assert targets(path) == [{"tool": "hours", "arguments": {}}]


def test_a_reason_is_cut_to_120_characters(tmp_path: Path):
    (target,) = targets(one(tmp_path, user("hello"), says(" " + "word " * 40)))
    assert target["reason"] == ("word " * 40)[:120].rstrip()


def test_texts_before_the_last_assistant_turn_make_no_row(tmp_path: Path):
    path = one(tmp_path, user("where is it?"), says("The number?"), user("4821"), calls(TRACK))
    assert targets(path) == [TRACK]


def test_a_turn_of_weight_0_is_shown_but_not_learned(tmp_path: Path):
    path = one(tmp_path, user("a"), {**calls(TRACK), "weight": 0}, result("b"), says("c"))
    (row,) = imported(read(path))
    assert row.value["target"]["tool"] == "no_tool"
    assert "track_order" in row.value["messages"][1]["content"]


def test_tools_are_brought_into_mcp_s_form(tmp_path: Path):
    bare = {"type": "function", "function": {"name": "hours"}}
    path = one(tmp_path, user("a"), calls(TRACK), tools=[*offered("track_order"), bare])
    (row,) = imported(read(path))
    tools = Toolset.from_json({"name": "x", "tools": row.value["tools"]})
    assert tools.fingerprints["track_order"] == DESK.fingerprints["track_order"]
    assert row.value["tools"][1] == {
        "name": "hours", "inputSchema": {"type": "object", "properties": {}},
    }  # fmt: skip


def test_a_row_without_tools_names_none(tmp_path: Path):
    for path in (
        one(tmp_path, user("a"), says("b")),
        one(tmp_path, user("a"), says("b"), tools=None),
    ):
        (row,) = imported(read(path))
        assert "tools" not in row.value


def test_a_folder_and_a_byte_order_mark_are_read(tmp_path: Path):
    write(tmp_path / "b.jsonl", {"messages": [user("a"), says("second")]})
    write(tmp_path / "a.jsonl", "\ufeff" + '{"messages": [{"role": "user", "content": "a"}, '
          '{"role": "assistant", "content": "first"}]}')  # fmt: skip
    assert [target["reason"] for target in targets(tmp_path)] == ["first", "second"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "no JSON: Expecting property name"),
        ("[1]", "no JSON object"),
        ("[" * 100_000, "no JSON: "),
        ({"prompt": "a", "completion": "b"}, "/messages: Field required"),
        ({"messages": []}, "/messages: "),
        ({"messages": [{"role": "robot", "content": "a"}]}, "/messages/0/role: "),
        ({"messages": [user(3)]}, "/messages/0/content"),
        ({"messages": [user("a"), says("b")], "tools": [{"name": "x"}]}, "/tools/0/type: "),
        ({"messages": [user("a")], "functions": [{"name": "x"}]}, "/functions: "),
        ({"messages": [user("a"), {**says("b"), "function_call": {"name": "x"}}]},
         "/messages/1/function_call: "),
        ({"messages": [user("a")]}, "no assistant turn to learn from"),
    ],
)  # fmt: skip
def test_a_broken_line_is_refused_with_its_number_and_the_next_one_read(
    tmp_path: Path, line: Any, reason: str
):
    good = {"messages": [user("a"), says("b")]}
    path = write(tmp_path / "chat.jsonl", good, "", line, good)
    found = list(read(path))
    ((place, told),) = refused(found)
    assert place == f"{path}:3"
    assert told.startswith(reason)
    assert len(found) == 3


def test_a_line_that_is_no_text_is_refused_with_its_number(tmp_path: Path):
    (tmp_path / "chat.jsonl").write_bytes(b'{"a": "\xff"}\n')
    ((place, reason),) = refused(read(tmp_path / "chat.jsonl"))
    assert place.endswith("chat.jsonl:1")
    assert reason.startswith("no JSON: ")


@pytest.mark.parametrize(
    ("turn", "reason"),
    [
        (calls({"tool": "t", "arguments": "{'a': 1}"}), "arguments are not JSON"),
        (calls({"tool": "t", "arguments": "[1]"}), "must be a JSON object"),
        (calls({"tool": "t", "arguments": '{"a": NaN}'}), "NaN is not JSON"),
        (says("  "), "neither calls nor says anything"),
        (user([{"type": "image_url", "image_url": {"url": "x"}}]), "messages may hold text alone"),
    ],
)
def test_a_turn_that_cannot_be_read_ends_its_conversation(
    tmp_path: Path, turn: dict[str, Any], reason: str
):
    path = one(tmp_path, user("where is ORD-4821"), calls(TRACK), result("r"), turn)
    first, second = read(path)
    assert imported([first])[0].value["target"] == TRACK
    ((place, told),) = refused([second])
    assert place == f"{path}:1 message 4"
    assert reason in told


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        list(read(tmp_path / "nowhere.jsonl"))
