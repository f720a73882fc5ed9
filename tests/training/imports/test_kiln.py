"""Kiln's exports and task runs: every form that carries tool calls gives the same rows."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.training.imports.samples import (
    CANCEL,
    DESK,
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
from training.imports.gate import gate
from training.imports.kiln import read

SYSTEM = {"role": "system", "content": "You work at an order desk."}
TRACE: list[dict[str, Any]] = [
    SYSTEM,
    user("Where is ORD-4821? And cancel ORD-4821, it is late"),
    {**calls(TRACK, CANCEL), "content": ""},
    result("in transit", "call_0"),
    result("cancelled", "call_1"),
    says('{"done": true}'),
]
TARGETS = [{"calls": [TRACK, CANCEL]}, {"tool": "no_tool", "reason": '{"done": true}'}]
ANSWER = {"role": "assistant", "content": None, "tool_calls": [
    {"id": "call_1", "type": "function",
     "function": {"name": "task_response", "arguments": '{"done": true}'}},
]}  # fmt: skip
HF_ANSWER = {"role": "assistant", "tool_calls": [
    {"type": "function",
     "function": {"name": "task_response", "id": "a1b2c3d4e", "arguments": {"done": True}}},
]}  # fmt: skip


def in_capitals(schema: Any) -> Any:
    """A schema as Kiln writes it for Vertex."""
    if isinstance(schema, list):
        return [in_capitals(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: value.upper() if key == "type" and isinstance(value, str) else in_capitals(value)
        for key, value in schema.items()
    }


VERTEX: dict[str, Any] = {
    "systemInstruction": {"role": "system", "parts": [{"text": SYSTEM["content"]}]},
    "contents": [
        {"role": "user", "parts": [{"text": TRACE[1]["content"]}]},
        {"role": "model", "parts": [
            {"functionCall": {"name": call["tool"], "args": call["arguments"]}}
            for call in (TRACK, CANCEL)
        ]},
        {"parts": [
            {"functionResponse": {"name": "track_order", "response": {"content": "in transit"}}},
            {"functionResponse": {"name": "cancel_order", "response": {"content": "cancelled"}}},
        ]},
        {"role": "model", "parts": [{"text": '{"done": true}'}]},
    ],
    "tools": [{"functionDeclarations": [
        {**tool["function"], "parameters": in_capitals(tool["function"]["parameters"])}
        for tool in offered()
    ]}],
}  # fmt: skip


def run(**more: Any) -> dict[str, Any]:
    """A task run as Kiln keeps it, with what is beside the trace."""
    return {
        "v": 1,
        "id": "288782032186",
        "input": TRACE[1]["content"],
        "output": {
            "output": '{"done": true}',
            "source": {"type": "synthetic", "run_config": {"tools_config": {"tools": [
                "mcp::remote::236021938542::track_order",
            ]}}},
            "rating": None,
            "model_type": "task_output",
        },
        "repaired_output": None,
        "tags": ["manual_run"],
        "trace": [*TRACE[:-1], {**TRACE[-1], "latency_ms": 3165, "reasoning_content": "Done."}],
        "model_type": "task_run",
        **more,
    }  # fmt: skip


def rated(value: float | None, kind: str = "five_star") -> dict[str, Any]:
    return run(output={**run()["output"], "rating": {"type": kind, "value": value}})


@pytest.mark.parametrize(
    "line",
    [
        {"messages": TRACE, "tools": offered()},
        {"messages": TRACE},
        {"messages": [*TRACE[:-1], ANSWER], "tools": offered()},
        {"conversations": TRACE},
        {"conversations": [*TRACE[:-1], HF_ANSWER]},
        VERTEX,
        run(),
    ],
    ids=["openai", "without tools", "openai toolcall", "hf", "hf toolcall", "vertex", "task run"],
)
def test_every_form_gives_the_same_rows_and_passes_the_gate(tmp_path: Path, line: Any):
    path = tmp_path / ("task_run.kiln" if "trace" in line else "export.jsonl")
    path.write_text(json.dumps(line) + "\n")
    rows = imported(read(path))
    assert [row.value["target"] for row in rows] == TARGETS
    last = rows[1].value["messages"]
    assert [turn["role"] for turn in last] == ["system", "user", "assistant", "tool", "tool"]
    assert [turn["content"] for turn in last[3:]] == ["in transit", "cancelled"]
    gated = gate(rows, DESK, "kiln")
    assert gated.refused == ()
    assert [row.offered for row in gated.rows] == [None, None]


def test_a_tool_that_is_really_called_task_response_stays_one(tmp_path: Path):
    schema = {"type": "object", "properties": {"done": {"type": "boolean"}}}
    tool = {"type": "function", "function": {"name": "task_response", "parameters": schema}}
    line = {"messages": [user("done?"), ANSWER], "tools": [tool]}
    (row,) = imported(read(write(tmp_path / "export.jsonl", line)))
    assert row.value["target"] == {"tool": "task_response", "arguments": {"done": True}}


def test_the_runs_of_a_project_are_read_with_its_exports(tmp_path: Path):
    folder = tmp_path / "tasks" / "280529670660 - Desk" / "runs"
    for number in ("2", "1"):
        write(folder / number / "task_run.kiln", json.dumps(run(), indent=2))
    write(tmp_path / "tasks" / "task.kiln", "{}")
    write(tmp_path / "export.jsonl", {"conversations": TRACE})
    rows = imported(read(tmp_path))
    assert len(rows) == 6
    assert rows[0].place.startswith(str(folder / "1" / "task_run.kiln"))
    assert rows[-1].place.startswith(f"{tmp_path / 'export.jsonl'}:1")


def test_a_repaired_answer_stands_for_the_one_given(tmp_path: Path):
    repaired = {**rated(1), "repaired_output": {"output": '{"done": false}'}}
    path = write(tmp_path / "task_run.kiln", repaired)
    assert imported(read(path))[1].value["target"]["reason"] == '{"done": false}'


@pytest.mark.parametrize(
    ("value", "kind"),
    [(None, "five_star"), (4.0, "five_star"), (1.0, "pass_fail"), (0.2, "custom")],
)
def test_a_run_that_nobody_rated_low_is_read(tmp_path: Path, value: float | None, kind: str):
    assert len(imported(read(write(tmp_path / "task_run.kiln", rated(value, kind))))) == 2


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (rated(3.0), "the run was rated 3 (five_star) and not repaired"),
        (rated(-1.0, "pass_fail_critical"), "the run was rated -1 (pass_fail_critical)"),
        (run(trace=None), "the run has no trace"),
        (run(output=None), "has no attribute 'get'"),
        ({"prompt": "a"}, "none of Kiln's forms"),
        ({"v": 1, "model_type": "task"}, "none of Kiln's forms"),
        ({"conversations": "a"}, "has no attribute 'get'"),
        ({"messages": TRACE, "tools": [{"name": "x"}]}, "'function' is missing"),
        ({"contents": [{"role": "user"}]}, "'parts' is missing"),
        ({"contents": [{"role": "user", "parts": [{"fileData": {}}]}]}, "'text' is missing"),
        ({"conversations": [*TRACE[:-1], {"role": "assistant"}]}, "neither calls nor says"),
        ("{", "no JSON"),
    ],
)  # fmt: skip
def test_what_is_no_example_is_refused_with_its_place(tmp_path: Path, line: Any, reason: str):
    file = write(tmp_path / "task_run.kiln", line)
    places, reasons = zip(*refused(read(file)), strict=True)
    assert places[0].startswith(str(file))
    assert reason in reasons[0]


def test_a_broken_line_of_an_export_is_refused_with_its_number(tmp_path: Path):
    file = write(tmp_path / "export.jsonl", {"conversations": TRACE}, "{", VERTEX)
    ((place, _),) = refused(read(file))
    assert place == f"{file}:2"
