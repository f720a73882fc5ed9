"""BFCL's cases asked of an engine: each with its own tools, judged in BFCL's names."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.engines.base import Prompt
from gateway.engines.scripted import ScriptedEngine
from gateway.grammar import answer_schema
from gateway.manifest import Adapter, read_adapter
from gateway.prompt import render
from gateway.types import Call, Route
from tests.adapters import write_adapter
from tests.training.bfcl.samples import WEATHER, entry, function, one, rome, write
from training.bfcl.files import read_cases
from training.bfcl.run import evaluate_bfcl, judge, valid
from training.imports.bfcl import read
from training.imports.gate import Imported
from training.rows import parse_row

ROME = {"tool": "weather_get", "arguments": {"city": "rome"}}
NO_TOOL = {"tool": "no_tool", "reason": "none fits"}
NEWS = function("news", topic="string")


def adapter(tmp_path: Path, **prompt: Any) -> Adapter:
    return read_adapter(write_adapter(tmp_path / "adapter", prompt={"form": "lines", **prompt}))


async def test_each_case_is_asked_with_its_own_tools_and_grammar(tmp_path: Path):
    cases = read_cases(
        write(
            tmp_path,
            {
                "simple_python": [rome("a")],
                "irrelevance": [entry("b", "Sing!", functions=[NEWS])],
            },
        )
    )
    tuned, engine = adapter(tmp_path), ScriptedEngine()
    await engine.load(tuned.version, tuned.folder)
    await evaluate_bfcl(engine, tuned, cases)
    first, second = engine.prompts
    assert first.messages[0]["content"].splitlines()[1:] == [
        "weather_get(city, days?): Do weather.get."
    ]
    assert "news" in second.messages[0]["content"]
    assert "weather_get" not in second.messages[0]["content"]
    assert first.schema == answer_schema(cases[0].offer.toolset)
    assert (first.adapter, first.max_prompt_tokens) == (tuned.version, 2048)


async def test_an_imported_row_is_shown_as_the_same_case_is_asked(tmp_path: Path):
    folder = write(tmp_path / "data", {"simple_python": [rome("a")]})
    (imported,) = read(folder)
    assert isinstance(imported, Imported)
    row = parse_row(imported.value, {})
    assert row.offered is not None
    engine = ScriptedEngine()
    await evaluate_bfcl(engine, None, read_cases(folder), form="lines")
    shown = [dict(message) for message in engine.prompts[0].messages]
    assert shown == render(row.messages, row.offered, "lines")


async def test_the_report_counts_right_answers_by_category(tmp_path: Path):
    pairs = {
        "simple_python": [rome("a"), entry("b", "b", truth=[{"weather.get": {"city": ["Oslo"]}}])],
        "irrelevance": [entry("c", "c"), entry("d", "d")],
        "live_relevance": [entry("e", "e")],
        "live_irrelevance": [entry("f", "f", functions=[])],
    }
    script = {"Weather in Rome?": ROME, "b": ROME, "c": ROME, "d": "I cannot.", "e": ROME}
    engine = ScriptedEngine(script)
    told: list[tuple[str, int, int]] = []
    found = await evaluate_bfcl(
        engine,
        None,
        read_cases(write(tmp_path, pairs)),
        progress=lambda *state: told.append(state),
    )
    counts = {name: (rate["k"], rate["n"]) for name, rate in found["categories"].items()}
    assert counts == {
        "simple_python": (1, 2),
        "irrelevance": (1, 2),
        "live_irrelevance": (1, 1),
        "live_relevance": (1, 1),
    }
    assert found["mismatches"] == {"value": 1, "needless_call": 1}
    assert (found["valid"]["k"], found["valid"]["n"]) == (5, 6)
    assert [item["id"] for item in found["wrong"]] == ["b", "c"]
    assert found["wrong"][0]["called"] == [{**ROME, "tool": "weather.get"}]
    assert (found["system"], found["form"], len(engine.prompts)) == ("base model", "schemas", 5)
    assert told[-1] == ("base model", 6, 6)
    json.dumps(found)


async def test_free_decoding_is_asked_for_without_a_grammar(tmp_path: Path):
    engine = ScriptedEngine()
    cases = read_cases(write(tmp_path, {"simple_python": [rome("a")]}))
    await evaluate_bfcl(engine, None, cases, constrained=False)
    assert engine.prompts[0].schema is None


async def test_a_prompt_that_does_not_fit_is_counted_and_wrong(tmp_path: Path):
    cases = read_cases(write(tmp_path / "data", {"simple_python": [rome("a")]}))
    tuned, engine = adapter(tmp_path, max_prompt_tokens=3), ScriptedEngine()
    await engine.load(tuned.version, tuned.folder)
    found = await evaluate_bfcl(engine, tuned, cases)
    assert (found["too_long"], found["overall"]["k"]) == (1, 0)
    assert found["mismatches"] == {"unreadable": 1}


async def test_an_adapter_that_is_shown_names_alone_is_refused(tmp_path: Path):
    cases = read_cases(write(tmp_path / "data", {"simple_python": [rome("a")]}))
    with pytest.raises(ValueError, match="would be shown no tools in the form `name`"):
        await evaluate_bfcl(ScriptedEngine(), adapter(tmp_path, form="name"), cases)


async def test_a_base_model_may_be_asked_in_its_own_format(tmp_path: Path):
    cases = read_cases(write(tmp_path, {"simple_python": [rome("a")]}))
    call = {"name": "weather_get", "arguments": {"city": "Rome"}}
    engine = ScriptedEngine(lambda _: f"<tool_call>\n{json.dumps(call)}\n</tool_call>")
    found = await evaluate_bfcl(engine, None, cases, base_format="native")
    assert (found["format"], found["overall"]["k"]) == ("native", 1)
    (shown,) = engine.prompts[0].tools or ()
    assert shown["function"]["name"] == "weather_get"
    assert "weather_get" in (engine.prompts[0].grammar or "")
    with pytest.raises(ValueError, match="asked in the format native, which shows schemas"):
        await evaluate_bfcl(engine, None, cases, base_format="native", form="lines")


async def test_no_cases_are_an_error_and_not_a_zero():
    with pytest.raises(ValueError, match="no cases"):
        await evaluate_bfcl(ScriptedEngine(), None, [])


def test_an_unreadable_answer_is_right_only_where_nothing_is_to_be_called(tmp_path: Path):
    broken = Route(error="no JSON")
    assert judge(one(tmp_path, "irrelevance", entry("x")), broken) is None
    for category, pair in (("live_relevance", entry("x")), ("simple_python", rome("x"))):
        assert judge(one(tmp_path, category, pair), broken) is not None


def test_an_answer_is_valid_if_the_cases_own_schemas_allow_it(tmp_path: Path):
    case = one(tmp_path, "simple_python", rome("x"))
    for call, allowed in (
        (Call("weather_get", {"city": "Oslo"}), True),
        (Call("weather_get", {}), False),
        (Call("weather.get", {"city": "Oslo"}), False),
    ):
        assert valid(case, Route(calls=(call,))) is allowed
    assert valid(case, Route(reason="none"))
    assert not valid(case, Route(error="no JSON"))


async def test_several_calls_are_judged_in_bfcls_names(tmp_path: Path):
    truth = [{"weather.get": {"city": [city]}} for city in ("Rome", "Oslo")]
    pair = entry("x", "both", functions=[WEATHER, function("weather_get")], truth=truth)
    cases = read_cases(write(tmp_path, {"parallel": [pair]}))

    def answer(prompt: Prompt) -> dict[str, Any]:
        calls = [{"tool": "weather_get", "arguments": {"city": c}} for c in ("Oslo", "Rome")]
        return {"calls": calls}

    found = await evaluate_bfcl(ScriptedEngine(answer), None, cases)
    assert found["overall"]["k"] == 1
