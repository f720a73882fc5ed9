"""The plan: the same toolset, voices and seed give the same small tasks."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.types import Toolset
from tests.training.generate.endpoint import DESK, VOICE
from training.generate.plan import Plan, Task, make_plan
from training.generate.voices import VOICES, Voice, read_voices

OTHER = Voice("terse", "Briefly.")
SMALL = Toolset.from_json({"name": "small", "tools": [{
    "name": "find/it", "inputSchema": {
        "type": "object",
        "properties": {"query": {"type": "string"}, "day": {"anyOf": [
            {"type": "string", "format": "date"}, {"type": "null"}]}},
        "required": ["query"],
    },
}, {"name": "ping", "inputSchema": {"type": "object"}}]})  # fmt: skip


def made(toolset: Toolset = DESK, voices: Any = (VOICE,), **changed: Any) -> Plan:
    return make_plan(toolset, voices, **{"rows": 10, "seed": 7, **changed})


def about(task: Task) -> tuple[Any, ...]:
    return task.kind, task.tool, task.argument, task.stated


def test_a_small_toolset_gets_every_sort_of_task_once_a_voice():
    found = made(SMALL, (VOICE, OTHER)).tasks
    for voice in (VOICE, OTHER):
        assert sorted((about(t) for t in found if t.voice == voice), key=str) == sorted([
            ("call", "find/it", None, None),
            ("call", "find/it", "day", True),
            ("call", "find/it", "day", False),
            ("call", "ping", None, None),
            ("chat", None, None, None),
            ("out_of_scope", None, None, None),
            ("injection", None, None, None),
            ("underspecified", "find/it", "query", None),
            ("malformed", "find/it", None, None),
        ], key=str)  # fmt: skip


def test_every_tool_optional_and_required_argument_of_the_desk_has_its_tasks():
    found = {about(task) for task in made().tasks}
    for tool in DESK.tools:
        required = tool.input_schema["required"]
        assert ("call", tool.name, None, None) in found
        for name in tool.input_schema["properties"]:
            if name in required:
                assert ("underspecified", tool.name, name, None) in found
            else:
                assert {("call", tool.name, name, s) for s in (True, False)} <= found
    assert ("malformed", "track_order", None, None) in found
    assert ("malformed", "search_help", None, None) not in found


def test_the_same_numbers_give_the_same_plan_and_others_another():
    plan = made()
    assert plan == made()
    assert plan.digest == made().digest
    changed = [made(seed=8), made(rows=9), made(voices=(VOICE, OTHER)), made(SMALL)]
    reworded = made(voices=(replace(VOICE, sentence="Very plainly."),))
    assert len({p.digest for p in (plan, *changed, reworded)}) == 6


def test_ids_are_distinct_and_do_not_depend_on_seed_or_order():
    one, other = made(voices=VOICES), made(voices=VOICES[::-1], seed=8)
    ids = [task.id for task in one.tasks]
    assert len(set(ids)) == len(ids)
    assert {(task.id, about(task)) for task in one.tasks} == {
        (task.id, about(task)) for task in other.tasks
    }
    assert ids != [task.id for task in other.tasks]
    assert "call/find%2Fit/day/unstated/plain" in {task.id for task in made(SMALL).tasks}


@pytest.mark.parametrize("toolset", [DESK, SMALL])
def test_rows_without_a_tool_are_about_their_share_of_the_whole(toolset: Toolset):
    tasks = made(toolset, VOICES, rows=20).tasks
    few = sum(task.rows for task in tasks if task.kind != "call")
    assert 0.1 <= few / sum(task.rows for task in tasks) <= 0.2
    assert {task.kind for task in made(no_tool_share=0).tasks} == {"call"}


@pytest.mark.parametrize(
    "wrong", [{"rows": 0}, {"rows": 101}, {"voices": ()}, {"no_tool_share": 1.0}]
)
def test_a_plan_of_nothing_or_too_much_is_refused(wrong: dict[str, Any]):
    with pytest.raises(ValueError, match=r"voice|rows|share"):
        made(**wrong)


def test_voices_are_read_from_a_file(tmp_path: Path):
    file = tmp_path / "voices.txt"
    file.write_text("# ours\n\nnurse: A nurse: short.\nguest :  A guest.\n", encoding="utf-8")
    assert read_voices(file) == (Voice("nurse", "A nurse: short."), Voice("guest", "A guest."))


@pytest.mark.parametrize(
    ("text", "said"),
    [("a: b\nnurse", ":2: a voice is"), ("a: b\na: c", ":2: there is"), ("# none", "no voices"),
     ("a:", ":1: a voice is")],
)  # fmt: skip
def test_a_broken_file_of_voices_is_refused_with_its_line(tmp_path: Path, text: str, said: str):
    file = tmp_path / "voices.txt"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=said):
        read_voices(file)


def test_a_plan_about_some_tools_asks_for_no_other_and_still_for_rows_without_a_tool():
    found = made(about=["track_order", "escalate"]).tasks
    assert {task.tool for task in found} == {None, "track_order", "escalate"}
    assert {task.id for task in found} <= {task.id for task in made().tasks}


def test_a_plan_about_a_tool_that_is_not_there_names_it_and_those_that_are():
    with pytest.raises(ValueError, match=r"no tool fly; it has .*track_order"):
        made(about=["track_order", "fly"])
