"""The strategy: the teacher is told the schemas, the conventions and one task."""

import json

from tests.training.generate.endpoint import DESK, VOICE, task
from training.generate.plan import make_plan
from training.generate.strategy import strategy, system_text, task_text


def test_the_system_message_holds_every_schema_and_is_the_same_for_all_tasks():
    tasks = make_plan(DESK, (VOICE,), rows=3, seed=1).tasks
    asked = [strategy(DESK, one) for one in tasks]
    assert {len(messages) for messages in asked} == {2}
    (system,) = {messages[0]["content"] for messages in asked}
    for tool in DESK.tools:
        assert json.dumps(tool.input_schema, ensure_ascii=False) in system
    assert len({messages[1]["content"] for messages in asked}) == len(tasks)


def test_the_user_s_conventions_follow_ours_and_outrank_them():
    text = system_text(DESK, "Refunds {always} name a reason.\n")
    assert "which come first where they say otherwise:\nRefunds {always} name a reason.\n" in text
    assert text.index("An optional argument") < text.index("{always}")
    assert "come first where" not in system_text(DESK, " \n")


def test_each_example_of_the_output_is_a_json_object():
    examples = [line for line in system_text(DESK).splitlines() if line.startswith('{"request"')]
    assert [json.loads(line)["kind"] for line in examples] == ["call", "chat"]


def test_a_task_says_what_its_rows_are_about():
    stated = task(argument="limit", tool="list_orders", stated=True)
    assert "Write 2 rows of kind call." in task_text(stated)
    assert "of list_orders, and states limit" in task_text(stated)
    unstated = task(argument="limit", tool="list_orders", stated=False)
    assert "says nothing of limit" in task_text(unstated)
    lacking = task(kind="underspecified", argument="order_id")
    assert "wants track_order but does not say order_id" in task_text(lacking)
    assert "schema cannot take" in task_text(task(kind="malformed"))
    chat = task_text(task(kind="chat", tool=None, rows=1))
    assert chat == "Write one row of kind chat.\nVoice: Plainly."
