"""The general adapter: what it learned is what it is asked, and a killed run goes on."""

import argparse
import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl")

from gateway.engines.base import Prompt
from gateway.engines.scripted import ScriptedEngine
from gateway.formats.known import FORMATS
from gateway.manifest import Adapter, read_adapter
from gateway.prompt import render_answer
from gateway.tokens import prompt_ids
from gateway.types import Toolset
from tests.gateway.formats.templates import smollm2
from tests.training.bfcl.samples import entry, function, write
from tests.training.folders import base_model, run_folder
from training.bfcl.files import Case, read_cases
from training.bfcl.parts import NO_TOOLSET
from training.bfcl.run import BASE_SPEC, evaluate_bfcl
from training.commands.benchmark import Asked, Taken, run_benchmark, take
from training.examples import examples
from training.general import NAME, SETTINGS, grade, largest_offer, make, prepare
from training.rows import read_rows
from training.run import RunMismatch

HELD_OUT = 18


def data(folder: Path) -> Path:
    """60 trips by as many tools, each with what rows and prompts might render in two ways."""
    cases: Any = {"simple_python": [], "irrelevance": [], "live_multiple": []}
    for number in range(60):
        tools = [
            function(
                f"go.by{number}",
                "city",
                city={"type": "string", "description": "Où? ✓", "default": None},
                speed={"type": "float", "enum": ["1e-7", "2.50"], "description": "<|im_end|>"},
                legs={"type": "array", "items": {"type": "dict", "properties": {}}},
            )
        ]
        category = ("simple_python", "irrelevance", "live_multiple")[number % 3]
        if category == "live_multiple":
            tools.append({**function(f"stay.at{number}"), "description": None})
        turns = [
            {"role": "system", "content": "Today is Monday. "},
            {"role": "user", "content": f"Trip {number} to Rome\u2028or so"},
        ]
        truth = [{f"go.by{number}": {"city": ["Rome"], "speed": [""]}}]
        no_call = category == "irrelevance"
        cases[category].append(entry(f"c{number}", turns, tools, None if no_call else truth))
    return write(folder, cases)


def answers(cases: list[Case]) -> Mapping[str, Any]:
    """Right answers of a third of the cases."""
    return {
        case.messages[-1].content: {
            "tool": case.offer.offered_name(case.expected[0].tool),
            "arguments": {"city": "Rome"},
        }
        for case in cases
        if case.category == "simple_python"
    }


@pytest.fixture
def options(tmp_path: Path) -> argparse.Namespace:
    """The command line of a run whose training is done."""
    base = base_model(tmp_path / "base")
    smollm2().save_pretrained(base)
    folder = data(tmp_path / "data")
    out = tmp_path / "out"
    run_folder(out / "run", form="schemas", toolset_mode="varied", max_length=1_024)
    learned = {"seed": SETTINGS.seed, "epochs": SETTINGS.epochs, "max_length": SETTINGS.max_length}
    return argparse.Namespace(base_model=base, data=folder, out=out, rows=20, limit=4, **learned)


def engine_for(options: argparse.Namespace) -> ScriptedEngine:
    return ScriptedEngine(answers(read_cases(options.data)))


def test_the_token_ids_trained_on_are_those_that_the_same_case_is_asked_with(
    tmp_path: Path, options: argparse.Namespace
) -> None:
    tokenizer, rows = smollm2(), tmp_path / "rows"
    prepare(options.data, tokenizer, 100, SETTINGS, rows)
    learned = read_rows(rows / "train.jsonl", NO_TOOLSET)
    made = examples(learned, NO_TOOLSET, SETTINGS.form, tokenizer, SETTINGS.max_length)
    cases = {case.messages[-1].content: case for case in read_cases(options.data)}
    asked = [cases[row.messages[-1].content] for row in learned]

    make(options, engine_for(options))
    adapter, engine = read_adapter(options.out / "adapter"), ScriptedEngine()
    asyncio.run(engine.load(adapter.version, adapter.folder))
    asyncio.run(evaluate_bfcl(engine, adapter, asked))

    assert len(learned) == len(engine.prompts) == 38
    for row, example, case, prompt in zip(learned, made, asked, engine.prompts, strict=True):
        served = prompt_ids(tokenizer, prompt.messages, prompt.tools)
        start = example.completion_mask.index(1)
        assert example.input_ids[:start] == served
        answer = tokenizer.decode(example.input_ids[start:-1])
        assert answer == render_answer(row.target, case.offer.toolset)
        assert prompt.messages == offered(adapter, case)


def offered(adapter: Adapter, case: Case) -> tuple[Mapping[str, Any], ...]:
    """The messages of a gateway where the case's tools are live, in a toolset of another name."""
    live = Toolset("desk", case.offer.toolset.tools)
    spec, shown = adapter.manifest.prompt, adapter.offering(live).toolset
    return FORMATS[spec.format].ask(case.messages, shown, spec.form).messages


def test_both_systems_are_asked_the_same_cases_of_held_out_tools(
    options: argparse.Namespace, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = engine_for(options)
    report = make(options, engine)
    half = len(engine.prompts) // 2
    assert [p.messages for p in engine.prompts[:half]] == [
        p.messages for p in engine.prompts[half:]
    ]
    assert {p.adapter is None for p in engine.prompts[:half]} == {False}
    assert {p.adapter is None for p in engine.prompts[half:]} == {True}
    cases, _ = take(Taken(options.data, limit=4, held_out=True))
    assert [p.messages[-1]["content"] for p in engine.prompts[:half]] == [
        case.messages[-1].content for case in cases
    ]
    assert json.loads((options.out / "report.json").read_text(encoding="utf-8")) == report
    rates = report["systems"]["adapter"]["categories"]
    assert all(rate["n"] == 4 for rate in rates.values())
    assert "leaderboard" not in report["systems"]["base_model"]
    assert report["rows"]["held_out"] == HELD_OUT
    told = capsys.readouterr()
    assert "in-family" in told.out
    assert "leaderboard:" not in told.out
    assert "20 rows to train on, 2 to validate with; left out: 0 of more than 1024" in told.err


def test_its_folder_is_one_that_evaluate_takes(options: argparse.Namespace) -> None:
    report = make(options, engine_for(options))
    adapter = read_adapter(options.out / "adapter")
    manifest = adapter.manifest
    assert (manifest.name, manifest.toolset, manifest.toolset_mode) == (NAME, NAME, "varied")
    assert manifest.calibration.threshold == 0
    assert len(adapter.toolset.tools) == 2
    assert manifest.prompt == BASE_SPEC
    out = options.out / "again.json"
    run_benchmark(
        "bfcl",
        options.base_model,
        Asked(options.out / "adapter"),
        Taken(options.data, limit=4, held_out=True),
        out=out,
        make_engine=lambda _: engine_for(options),
    )
    again = json.loads(out.read_text(encoding="utf-8"))["systems"]
    for system, found in report["systems"].items():
        assert again[system]["categories"] == found["categories"]


def test_a_finished_run_is_not_made_again(options: argparse.Namespace) -> None:
    first = make(options, engine_for(options))
    rows = (options.out / "rows" / "train.jsonl").read_bytes()
    engine = engine_for(options)
    assert make(options, engine) == first
    assert engine.prompts == []
    assert (options.out / "rows" / "train.jsonl").read_bytes() == rows
    options.limit = 3
    make(options, engine)
    assert len(engine.prompts) == 2 * 3 * 3


def test_a_run_killed_while_it_asks_goes_on_with_the_system_that_is_missing(
    options: argparse.Namespace,
) -> None:
    def dies(prompt: Prompt) -> Any:
        if prompt.adapter is None:
            raise KeyboardInterrupt
        return {"tool": "no_tool", "reason": "none"}

    with pytest.raises(KeyboardInterrupt):
        make(options, ScriptedEngine(dies))
    assert not (options.out / "report.json").exists()
    engine = engine_for(options)
    report = make(options, engine)
    assert {prompt.adapter for prompt in engine.prompts} == {None}
    assert report["systems"]["adapter"]["mismatches"] == {"no_call": 8}


@pytest.mark.parametrize(("option", "value"), [("rows", 21), ("seed", 8)])
def test_another_run_is_refused_in_the_same_folder(
    options: argparse.Namespace, option: str, value: int
) -> None:
    make(options, engine_for(options))
    setattr(options, option, value)
    with pytest.raises(RunMismatch, match=rf"remove it: {option} is {value}, was \d+$"):
        make(options, engine_for(options))


def test_another_adapter_is_asked_anew(options: argparse.Namespace) -> None:
    make(options, engine_for(options))
    adapter = read_adapter(options.out / "adapter")
    other = Adapter(adapter.folder, "f" * 64, adapter.manifest, adapter.toolset)
    cases, _ = take(Taken(options.data, limit=4, held_out=True))
    engine = engine_for(options)
    found = asyncio.run(grade(engine, other, cases, options.out / "answers"))
    assert {prompt.adapter for prompt in engine.prompts} == {other.version}
    assert found["adapter"]["system"] == other.version


def test_the_adapters_own_toolset_is_the_largest_it_is_validated_with(
    tmp_path: Path, options: argparse.Namespace
) -> None:
    prepare(options.data, smollm2(), 100, SETTINGS, tmp_path / "rows")
    toolset = largest_offer(tmp_path / "rows" / "validation.jsonl")
    assert toolset.name == NAME
    assert [tool.name.partition("_")[0] for tool in toolset.tools] == ["go", "stay"]
