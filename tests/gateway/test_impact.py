"""What a drift costs: rows replayed against the live tools, with and without the policy."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.adapters.active import drift_of
from gateway.drift_policy import DriftPolicy, withheld
from gateway.engines.base import Prompt
from gateway.engines.scripted import ScriptedEngine
from gateway.errors import AdapterRefused, EngineDown
from gateway.impact.figure import Impact, impact_of
from gateway.impact.replay import kept_proposals, kept_routes, replay
from gateway.impact.rows import read_eval_rows
from gateway.manifest import Adapter, read_adapter
from gateway.types import Toolset
from tests.adapters import write_adapter

Wire = dict[str, Any]
NO_TOOL = {"tool": "no_tool", "reason": "chat"}


def tool(name: str, description: str, *required: str, **properties: Wire) -> Wire:
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return {"name": name, "description": description, "inputSchema": schema}


FIND = tool("find", "Find an order.", "id", id={"type": "string"})
PICK_UP = tool("pick_up", "Send a courier.", "id", id={"type": "string"}, day={"type": "string"})
TRAINED = [FIND, PICK_UP]


def call(name: str, order: str) -> Wire:
    return {"tool": name, "arguments": {"id": order}}


ANSWERS: Mapping[str, Wire] = {
    "find ORD-1": call("find", "ORD-1"),
    "find ORD-2": call("find", "ORD-2"),
    "collect ORD-3": call("pick_up", "ORD-3"),
    "collect ORD-4": call("pick_up", "ORD-4"),
    "hello": NO_TOOL,
}
WANTED = {**ANSWERS, "find ORD-2": NO_TOOL}


def adapter_with(folder: Path, trained: list[Wire], wanted: Mapping[str, Wire]) -> Adapter:
    write_adapter(folder, Toolset.from_json({"name": "desk", "tools": trained}))
    rows = [{"request": text, "target": target} for text, target in wanted.items()]
    (folder / "eval.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_adapter(folder)


@pytest.fixture
def adapter(tmp_path: Path) -> Adapter:
    return adapter_with(tmp_path / "adapter", TRAINED, WANTED)


async def impact(adapter: Adapter, folder: Path, *live: Wire, **policy: Any) -> Impact:
    rows = read_eval_rows(adapter)
    engine = ScriptedEngine({text: dict(answer) for text, answer in ANSWERS.items()})
    await engine.load(adapter.version, adapter.folder)
    routes = await replay(engine, adapter, rows, kept_proposals(folder, adapter, len(rows)))
    toolset = Toolset.from_json({"name": "desk", "tools": list(live)})
    drift = drift_of(adapter, toolset.by_name)
    grades = withheld(DriftPolicy(**policy), adapter.name)
    return impact_of(adapter, toolset, drift, grades, rows, routes)


async def test_without_drift_nothing_changes(adapter: Adapter, tmp_path: Path) -> None:
    found = await impact(adapter, tmp_path, *TRAINED)
    assert found.flips == []
    assert [r.before.exact for r in found.rows] == [r.policy.exact for r in found.rows]
    assert [r.before.exact for r in found.rows] == [True, False, True, True, True]
    assert found.summary == "exact 80.0 % -> 80.0 % (of 5 rows)"


async def test_a_removed_tool_costs_its_rows_alone(adapter: Adapter, tmp_path: Path) -> None:
    found = await impact(adapter, tmp_path, FIND)
    assert found.summary == "exact 80.0 % -> 40.0 %; pick_up 100 -> 0 (of 5 rows)"
    assert [flip.row.text for flip in found.flips] == ["collect ORD-3", "collect ORD-4"]
    assert {flip.now.reason_code for flip in found.flips} == {"drift"}
    assert found.as_dict()["tools"]["pick_up"] == {"n": 2, "before": 2, "drifted": 0, "policy": 0}


async def test_a_new_required_argument_breaks_the_calls_whatever_the_policy(
    adapter: Adapter, tmp_path: Path
) -> None:
    stricter = {**PICK_UP, "inputSchema": {**PICK_UP["inputSchema"], "required": ["id", "day"]}}
    for policy in ({}, {"policy": "warn"}):
        found = await impact(adapter, tmp_path, FIND, stricter, **policy)
        assert found.as_dict()["policy"]["exact"]["k"] == 2
        assert found.as_dict()["drifted"]["exact"]["k"] == 2
        assert not any(r.drifted.wrong for r in found.rows[2:])


async def test_masking_a_tool_that_still_takes_the_calls_costs_exact_rows_and_saves_wrong_ones(
    adapter: Adapter, tmp_path: Path
) -> None:
    narrower = tool(
        "find", "Find an order.", "id", id={"type": "string", "pattern": "^ORD-[0-9]$"}
    )  # fmt: skip
    found = await impact(adapter, tmp_path, narrower, PICK_UP)
    value = found.as_dict()
    assert (value["drifted"]["exact"]["k"], value["policy"]["exact"]["k"]) == (4, 4)
    assert (value["drifted"]["wrong_call_rate"]["k"], value["policy"]["wrong_call_rate"]["k"]) == (
        1, 0,
    )  # fmt: skip
    assert [(f.row.text, f.policy.exact) for f in found.flips] == [
        ("find ORD-1", False), ("find ORD-2", True),
    ]  # fmt: skip


async def test_a_tool_that_takes_more_than_it_did_may_take_a_call_that_is_newly_wrong(
    tmp_path: Path,
) -> None:
    stricter = {**PICK_UP, "inputSchema": {**PICK_UP["inputSchema"], "required": ["id", "day"]}}
    adapter = adapter_with(tmp_path / "adapter", [FIND, stricter], {"collect ORD-3": NO_TOOL})
    assert (await impact(adapter, tmp_path, FIND, stricter)).as_dict()["newly_wrong"] == 0
    found = await impact(adapter, tmp_path, *TRAINED)
    assert [row.row.text for row in found.newly_wrong] == ["collect ORD-3"]
    assert found.as_dict()["newly_wrong"] == 1


async def test_a_second_drift_is_measured_without_asking_again(
    adapter: Adapter, tmp_path: Path
) -> None:
    rows = read_eval_rows(adapter)
    kept = kept_proposals(tmp_path, adapter, len(rows))
    asked: list[str] = []

    def says(prompt: Prompt) -> Mapping[str, Any]:
        asked.append(prompt.messages[-1]["content"])
        if len(asked) == 3:
            raise EngineDown("killed")
        return ANSWERS[asked[-1]]

    engine = ScriptedEngine(says)
    await engine.load(adapter.version, adapter.folder)
    with pytest.raises(EngineDown):
        await replay(engine, adapter, rows, kept)
    again = kept_proposals(tmp_path, adapter, len(rows))
    assert [route is None for route in kept_routes(again, rows)] == [False, False, True, True, True]
    whole = await replay(engine, adapter, rows, again)
    assert asked == [*list(WANTED)[:3], *list(WANTED)[2:]]
    assert kept_routes(kept_proposals(tmp_path, adapter, len(rows)), rows) == list(whole)


def test_an_adapter_without_rows_or_with_a_broken_one_is_refused(adapter: Adapter) -> None:
    file = adapter.folder / "eval.jsonl"
    file.write_text('{"request": "x", "target": {"tool": "no_tool"\n')
    with pytest.raises(AdapterRefused, match=r"eval\.jsonl:1: no row"):
        read_eval_rows(adapter)
    file.write_text("\n")
    with pytest.raises(AdapterRefused, match="no rows to measure with"):
        read_eval_rows(adapter)
