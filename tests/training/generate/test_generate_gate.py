"""The gate: rows out of a teacher's answer, however it is wrapped, and why the others are none."""

import json
from typing import Any

import pytest

from tests.training.generate.endpoint import DESK, lines, task, track
from training.generate.gate import Gate, Gated, NoRows, objects
from training.generate.plan import Task
from training.rows import Row, parse_row, require_toolset

GOOD = track("where is ORD-4821?")
OTHER = track("any news of my order 90210, please?", "ORD-90210")
NO_TOOL = {"tool": "no_tool", "reason": "small talk"}
LIST = {"customer_email": "a.lee@web.de"}


def gate(text: str, asked: Task | None = None) -> Gated:
    return Gate(DESK)(text, asked or task())


def refusal(row: Any, asked: Task | None = None) -> tuple[str, str]:
    gated = gate(lines(row), asked)
    assert gated.rows == ()
    (refused,) = gated.refused
    assert refused.raw == lines(row).strip()
    assert "\n" not in refused.reason
    return refused.code, refused.reason


@pytest.mark.parametrize(
    "text",
    [
        lines(GOOD, OTHER),
        f"```json\n{lines(GOOD, OTHER)}\n```",
        f"Sure, here you are:\n\n```\n{lines(GOOD, '', OTHER)}\n```\nAnything else?",
        json.dumps([GOOD, OTHER]),
        json.dumps([GOOD, OTHER], indent=2),
        f"{json.dumps(GOOD)},\n{json.dumps(OTHER)},",
        json.dumps([GOOD, OTHER], indent=2)[:-1],
        json.dumps(GOOD) + json.dumps(OTHER),
    ],
)
def test_rows_are_found_in_lines_lists_and_fences(text: str):
    gated = gate(text)
    assert gated.refused == ()
    assert [row.messages[0].content for row in gated.rows] == [GOOD["request"], OTHER["request"]]


def test_a_row_is_stamped_with_toolset_and_voice_whatever_the_teacher_says():
    (row,) = gate(lines({**GOOD, "voice": "mine", "toolset": "0" * 64, "tools": []})).rows
    assert (row.voice, row.toolset, row.offered) == ("plain", DESK.fingerprint, None)
    require_toolset([row], DESK)


def test_a_row_without_a_kind_has_that_of_its_task():
    row = {"request": "hi there", "target": NO_TOOL}
    assert gate(lines(row), task(kind="out_of_scope", tool=None)).rows[0].kind == "out_of_scope"


def test_a_row_in_turns_is_one_too():
    said = [{"role": "user", "content": "where is it?"},
            {"role": "assistant", "content": "Which order?"},
            {"role": "user", "content": "4821"}]  # fmt: skip
    (row,) = gate(lines({"messages": said, "target": GOOD["target"]})).rows
    assert [turn.role for turn in row.messages] == ["user", "assistant", "user"]


@pytest.mark.parametrize(
    "broken",
    ['{"request": "where is ORD-4821?", "target": {"tool": "tr', "{request: 1}", "{" * 2000],
)
def test_a_broken_line_is_refused_and_the_others_are_kept(broken: str):
    gated = gate(lines(GOOD, broken, OTHER))
    assert len(gated.rows) == 2
    assert [(r.code, r.raw) for r in gated.refused] == [("parse", broken)]


@pytest.mark.parametrize(
    ("changed", "code", "said"),
    [
        ({"target": {"tool": "fly", "arguments": {}}}, "schema", "is not in the toolset"),
        ({"target": {"tool": "track_order", "arguments": {"order_id": "12"}}},
         "schema", "breaks the schema: /order_id"),
        ({"target": {"tool": "track_order", "arguments": {}}}, "schema", "breaks the schema"),
        ({"request": 3}, "schema", "request must be a text"),
        ({"kind": "joke"}, "schema", "unknown kind"),
        ({"request": "where is ORD-4821 \ud83d"}, "form", "not valid Unicode"),
        ({"kind": "chat"}, "kind", "kind 'chat' does not fit"),
        ({"kind": "call", "target": NO_TOOL}, "kind", "does not fit"),
        ({"target": {"tool": "search_help", "arguments": {"query": "it"}}},
         "off_task", "asked for one call of track_order"),
        ({"target": {"calls": [GOOD["target"]]}}, "off_task", "asked for one call"),
        ({"request": "where is it?"}, "not_grounded", "track_order/order_id 'ORD-4821'"),
        ({"request": "where is 48211?"}, "not_grounded", "not in what"),
    ],
)  # fmt: skip
def test_a_row_that_is_no_example_is_refused_by_the_check_it_fails(
    changed: dict[str, Any], code: str, said: str
):
    found, reason = refusal({**GOOD, **changed})
    assert (found, said in reason) == (code, True), reason


def test_a_conversation_needs_the_user_s_last_word():
    said = [{"role": "user", "content": "4821?"}, {"role": "assistant", "content": "Moment."}]
    row = {"messages": said, "target": GOOD["target"]}
    assert refusal(row)[0] == "form"
    assert refusal({**row, "messages": said[1:]})[0] == "form"


@pytest.mark.parametrize("reason", [None, "", " ", "x" * 201, 3])
def test_no_tool_needs_a_reason(reason: Any):
    row = {"request": "hi there", "target": {"tool": "no_tool", "reason": reason}}
    assert refusal(row, task(kind="chat", tool=None))[0] == "form"


def test_where_no_tool_was_asked_for_a_call_is_off_task_and_another_kind_is_not():
    asked = task(kind="malformed")
    assert refusal(GOOD, asked) == ("off_task", "asked for a row of kind malformed, not for a call")
    row = {"request": "where is my order?", "kind": "underspecified", "target": NO_TOOL}
    assert gate(lines(row), asked).rows[0].kind == "underspecified"


@pytest.mark.parametrize("stated", [True, False])
def test_an_optional_argument_is_stated_exactly_if_the_task_says_so(stated: bool):
    asked = task(tool="list_orders", argument="limit", stated=stated)
    without = {"request": "orders of a.lee@web.de", "target": {"tool": "list_orders"}}
    without["target"]["arguments"] = LIST
    stating = {"request": "the last 3 orders of a.lee@web.de", "target": {"tool": "list_orders"}}
    stating["target"]["arguments"] = {**LIST, "limit": 3}
    good, bad = (stating, without) if stated else (without, stating)
    gated = gate(lines(good, bad), asked)
    assert [row.messages[0].content for row in gated.rows] == [good["request"]]
    assert [refused.code for refused in gated.refused] == ["off_task"]


def test_a_row_that_differs_from_an_earlier_one_in_its_number_alone_is_a_duplicate():
    same = track("Where is ORD-90210", "ORD-90210")
    judge = Gate(DESK)
    gated = judge(lines(GOOD, same), task())
    assert [(len(gated.rows)), gated.refused[0].code] == [1, "duplicate"]
    assert judge(lines(same), task(1)).refused[0].code == "duplicate"
    assert judge(lines(OTHER), task(2)).refused == ()


def test_the_rows_of_an_earlier_run_count_as_seen():
    row: Row = parse_row(GOOD, {tool.name: _AnyArguments() for tool in DESK.tools})  # pyright: ignore
    assert Gate(DESK, [row])(lines(GOOD), task()).refused[0].code == "duplicate"


class _AnyArguments:
    def errors(self, _: Any) -> list[Any]:
        return []


@pytest.mark.parametrize(
    "text", ["", "  \n", "I am sorry,\nbut {this} I cannot do.", "[]", "```\n```"]
)
def test_prose_and_nothing_are_told(text: str):
    with pytest.raises(
        NoRows, match=r"nothing at all" if not text.strip() else "prose and no rows"
    ):
        gate(text)
    with pytest.raises(NoRows):
        list(objects(text))


@pytest.mark.parametrize(
    ("objects", "said"),
    [
        ({"rows": [GOOD]}, "a row needs a `target`"),
        ({**GOOD, "target": None}, "the target is no answer"),
        ({**GOOD, "target": {"tool": "track_order"}}, "the target is no answer"),
        ({**GOOD, "target": {"calls": []}}, "the target is no answer"),
        ('{"request": "cut o', "no JSON"),
    ],
)
def test_an_answer_of_objects_that_are_no_rows_holds_none(objects: Any, said: str):
    with pytest.raises(NoRows, match=f"wrote no row .*{said}.*: '"):
        gate(lines(objects, objects))


def test_every_object_is_a_row_or_refused_even_without_a_target():
    gated = gate(lines("{}", {"rows": [GOOD]}, GOOD))
    assert (len(gated.rows), [item.code for item in gated.refused]) == (1, ["parse", "parse"])
