"""The recipe: rows that are checked first, and runs that are published unless they are worse."""

import json
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from gateway.engines.base import Prompt
from gateway.engines.scripted import ScriptedEngine
from gateway.errors import AdapterRefused, EngineDown
from gateway.manifest import Adapter, Probe, read_adapter
from gateway.types import Toolset
from gateway.weights import weights_digest
from tests.adapters import support_toolset, write_adapter
from tests.training.check.made import DESK, no_tool, row, track
from tests.training.folders import base_model, run_folder
from training.check.dataset import DatasetRefused
from training.publish import PublishRefused
from training.recipe import Recipe, check_data, publish_run
from training.rows import Row, RowError, ToolsetMismatch, row_json
from training.run import RunMismatch

VALIDATION = [
    row("where is ORD-1001", track("ORD-1001")),
    row("track ORD-1002", track("ORD-1002")),
    row("status of ORD-1003", track("ORD-1003")),
    row("has ORD-1004 left", track("ORD-1004")),
    row("hello", no_tool()),
]
TEST = [
    row("any news of ORD-2001", track("ORD-2001")),
    row("did ORD-2002 ship", track("ORD-2002")),
    row("when will ORD-2003 come", track("ORD-2003")),
    row("good morning", no_tool()),
]
MORE = [*TEST, row("find ORD-2005", track("ORD-2005"))]
GREETING = Probe(request="good evening", target=no_tool())
LOST = Probe(request="I lost ORD-3001", target=track("ORD-3001"))
ANSWERS: dict[str, Mapping[str, Any]] = {
    **{r.text: r.target for r in (*VALIDATION, *MORE)},
    **{probe.request: probe.target for probe in (GREETING, LOST)},
}
ONE, TWO = TEST[0].text, TEST[1].text
WRONG = {"tool": "search_help", "arguments": {"query": "help"}}


def write(file: Path, rows: list[Row]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row_json(row)) + "\n" for row in rows))
    return file


@dataclass(frozen=True)
class Works:
    """Everything that a run is published with; `out` holds what is in service."""

    folder: Path
    recipe: Recipe

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def served(self) -> Adapter:
        return read_adapter(self.out)

    def engine(
        self, wrong: Collection[str] = (), served_wrong: Collection[str] = ()
    ) -> ScriptedEngine:
        """Answers all requests rightly but those that an adapter is said to get wrong."""
        served = self.served.version if self.out.is_dir() else ""

        def says(prompt: Prompt) -> Mapping[str, Any]:
            text = prompt.messages[-1]["content"]
            fails = served_wrong if prompt.adapter == served else wrong
            return WRONG if text in fails else ANSWERS[text]

        return ScriptedEngine(says, logprob=-0.1)

    async def publish(self, engine: ScriptedEngine | None = None, **changes: Any) -> dict[str, Any]:
        recipe = replace(self.recipe, **changes)
        return await publish_run(
            recipe, self.folder / "run", self.out, None, engine or self.engine()
        )


@pytest.fixture
def works(tmp_path: Path) -> Works:
    run_folder(tmp_path / "run")
    recipe = Recipe(
        name="support",
        toolset=support_toolset(),
        validation=write(tmp_path / "validation.jsonl", VALIDATION),
        test=write(tmp_path / "test.jsonl", TEST),
        base_model=base_model(tmp_path / "base"),
        base_model_name="base",
        served_only=True,
    )
    return Works(tmp_path, recipe)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


async def test_the_first_version_is_compared_with_nothing(works: Works) -> None:
    report = await works.publish(works.engine(wrong=[ONE]))
    assert "compared_with" not in report
    assert json.loads((works.out / "report.json").read_text()) == report
    assert works.served.version in (works.out / "report.html").read_text(encoding="utf-8")


async def test_a_worse_adapter_is_refused_with_versions_and_figures_and_nothing_is_written(
    works: Works,
) -> None:
    await works.publish(works.engine(wrong=[ONE]))
    before, version = contents(works.out), works.served.version
    with pytest.raises(PublishRefused) as refusal:
        await works.publish(works.engine(wrong=[ONE, TWO]))
    graded = read_adapter(works.folder / "run" / "calibrated").version
    assert str(refusal.value) == (
        f"{graded} answers 2 of 4 (0.5) exactly, "
        f"{version} in service 3 of 4 (0.75) of the same rows"
    )
    assert contents(works.out) == before
    assert not list(works.folder.glob(".*"))


@pytest.mark.parametrize("wrong", [[TWO], []], ids=["as good", "better"])
async def test_an_adapter_that_is_not_worse_takes_the_place(works: Works, wrong: list[str]) -> None:
    await works.publish(works.engine(wrong=[ONE]))
    before, engine = works.served.version, works.engine(wrong=wrong)
    report = await works.publish(engine)
    told = report["compared_with"]
    assert (told["version"], told["exact"]["k"], told["graded_again"]) == (before, 3, False)
    assert works.served.version != before
    assert before not in engine.loaded


async def test_on_other_rows_the_version_in_service_is_graded_again(works: Works) -> None:
    await works.publish(works.engine())
    test = write(works.folder / "more.jsonl", MORE)
    worse = works.engine(wrong=[ONE], served_wrong=[])
    with pytest.raises(PublishRefused, match=r"4 of 5 \(0\.8\) exactly, .* 5 of 5"):
        await works.publish(worse, test=test)
    assert sum(prompt.adapter == works.served.version for prompt in worse.prompts) == len(MORE)
    better = works.engine(wrong=[ONE], served_wrong=[ONE, TWO])
    told = (await works.publish(better, test=test))["compared_with"]
    assert (told["exact"]["k"], told["exact"]["n"], told["graded_again"]) == (3, 5, True)


async def test_whoever_means_it_publishes_a_worse_one(works: Works) -> None:
    await works.publish()
    before = works.served.version
    assert "compared_with" not in await works.publish(works.engine(wrong=[ONE]), compare=False)
    assert works.served.version != before


async def test_a_version_for_another_base_model_is_not_compared_with_and_that_is_said(
    works: Works, caplog: pytest.LogCaptureFixture
) -> None:
    await works.publish()
    before = works.served.version
    other = base_model(works.folder / "other", b"\0\0\x80?")
    assert "compared_with" not in await works.publish(
        works.engine(wrong=[ONE]), base_model=other, base_model_name="other"
    )
    (line,) = [r.getMessage() for r in caplog.records if r.name == "training.comparison"]
    assert line.startswith(f"not compared with {before}: it belongs to base model base (")


async def test_another_folder_can_be_the_version_in_service(works: Works) -> None:
    await works.publish()
    elsewhere = works.out.rename(works.folder / "elsewhere")
    with pytest.raises(PublishRefused, match=read_adapter(elsewhere).version):
        await works.publish(works.engine(wrong=[ONE]), against=elsewhere)
    assert not works.out.exists()


async def test_a_folder_to_compare_with_that_is_none_is_refused_before_anything_is_asked(
    works: Works,
) -> None:
    engine = works.engine()
    with pytest.raises(AdapterRefused, match="not an adapter folder"):
        await works.publish(engine, against=works.folder / "nowhere")
    assert engine.prompts == []


async def test_an_adapter_below_a_minimum_is_refused_before_the_one_in_service_is_graded(
    works: Works,
) -> None:
    await works.publish()
    test = write(works.folder / "more.jsonl", MORE)
    engine = works.engine(wrong=[ONE, TWO])
    with pytest.raises(PublishRefused, match=r"exact is 0\.6, wanted at least 0\.8"):
        await works.publish(engine, test=test, minimum={"exact": 0.8})
    assert works.served.version not in engine.loaded


async def test_without_probes_in_the_recipe_right_answers_become_the_probes(works: Works) -> None:
    await works.publish()
    assert works.served.manifest.probes == (
        Probe(request="hello", target=no_tool()),
        Probe(request="where is ORD-1001", target=track("ORD-1001")),
    )
    await works.publish(probes=(GREETING,))
    assert works.served.manifest.probes == (GREETING,)


async def test_an_adapter_that_fails_probes_is_refused_before_any_test_row_is_asked(
    works: Works,
) -> None:
    await works.publish()
    before = contents(works.out)
    engine = works.engine(wrong=[GREETING.request, LOST.request])
    with pytest.raises(PublishRefused) as refusal:
        await works.publish(
            engine, probes=(GREETING, Probe(request="hello", target=no_tool()), LOST)
        )
    calibrated = read_adapter(works.folder / "run" / "calibrated")
    assert str(refusal.value) == (
        f"{calibrated.version} fails 2 of 3 probes: "
        f"the request 'good evening' wants {json.dumps(no_tool())}, "
        f"answered was {json.dumps(WRONG)}; "
        f"the request 'I lost ORD-3001' wants {json.dumps(track('ORD-3001'))}, "
        f"answered was {json.dumps(WRONG)}"
    )
    asked = {prompt.messages[-1]["content"] for prompt in engine.prompts}
    assert asked.isdisjoint(row.text for row in TEST)
    assert contents(works.out) == before


async def test_the_calibrated_adapter_is_what_the_probes_are_asked_of(works: Works) -> None:
    engine = works.engine()
    await works.publish(engine, probes=(LOST,))
    (asked,) = [p for p in engine.prompts if p.messages[-1]["content"] == LOST.request]
    assert asked.adapter == read_adapter(works.folder / "run" / "calibrated").version


async def test_where_a_run_was_made_is_told_by_the_run_or_else_when_it_is_published(
    works: Works,
) -> None:
    await works.publish()
    assert works.served.manifest.environment["hardware"]["processor"] == "made for tests"
    run_folder(works.folder / "run", environment=None)
    await works.publish()
    found = works.served.manifest.environment
    assert found["measured"] == "when published"
    assert set(found["hardware"]) == {"processor", "cores", "threads", "gpus"}


async def test_a_run_is_not_published_for_another_toolset_or_base_model(works: Works) -> None:
    digest = weights_digest(works.recipe.base_model)
    run_folder(works.folder / "run", learned={"toolset": DESK.fingerprint, "base_model": digest})
    engine = works.engine()
    other = {
        "toolset": Toolset("support", DESK.tools[1:]),
        "base_model": base_model(works.folder / "other", b"\0\0\x80?"),
    }
    for name, value in other.items():
        with pytest.raises(RunMismatch, match=f"run was trained on {name} "):
            await works.publish(engine, **{name: value})
    assert engine.prompts == []
    await works.publish(engine)
    assert works.served.manifest.toolset_fingerprint == DESK.fingerprint


@pytest.mark.parametrize("split", ["validation", "test"])
async def test_rows_for_another_toolset_say_nothing_about_a_run_that_learned_this_one(
    works: Works, split: str
) -> None:
    strangers = [replace(row, toolset="0" * 64) for row in TEST]
    file = write(works.folder / "strangers.jsonl", strangers)
    engine = works.engine()
    with pytest.raises(ToolsetMismatch, match="4 of 4 rows were not made for toolset support"):
        await works.publish(engine, **{split: file})
    assert engine.prompts == []
    run_folder(works.folder / "run", toolset_mode="varied", form="lines")
    await works.publish(engine, **{split: file})


async def test_a_folder_that_cannot_be_written_costs_no_answers(works: Works) -> None:
    in_the_way = works.folder / ".out.partial"
    in_the_way.write_text("")
    with pytest.raises(FileExistsError):
        await works.publish(probes=[GREETING])
    in_the_way.unlink()
    engine = works.engine()
    await works.publish(engine, probes=[GREETING])
    assert [prompt.messages[-1]["content"] for prompt in engine.prompts] == [GREETING.request]
    assert works.served.manifest.probes == (GREETING,)


async def test_a_version_in_service_that_a_kill_left_aside_is_put_back_and_compared_with(
    works: Works,
) -> None:
    await works.publish()
    before = contents(works.out)
    works.out.rename(works.folder / ".out.replaced")
    with pytest.raises(PublishRefused, match="3 of 4"):
        await works.publish(works.engine(wrong=[ONE]))
    assert contents(works.out) == before


def split(folder: Path, **splits: list[Row]) -> Path:
    for name, rows in splits.items():
        write(folder / name / "desk.jsonl", rows)
    return folder


def test_rows_without_errors_pass_and_warnings_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    data = split(tmp_path, train=VALIDATION, validation=TEST[:2], test=TEST[2:])
    check_data(data, DESK)
    assert "several_turns_share: " in caplog.text


async def test_a_publication_that_was_killed_asks_only_for_the_rest(works: Works) -> None:
    asked: list[str] = []

    def until(stop: str) -> ScriptedEngine:
        def says(prompt: Prompt) -> Mapping[str, Any]:
            asked.append(prompt.messages[-1]["content"])
            if asked[-1] == stop:
                raise EngineDown("killed")
            return ANSWERS[asked[-1]]

        return ScriptedEngine(says, logprob=-0.1)

    with pytest.raises(EngineDown):
        await works.publish(until(TWO), probes=[GREETING])
    assert asked == [*(r.text for r in VALIDATION), GREETING.request, ONE, TWO]
    asked.clear()
    await works.publish(until("never"), probes=[GREETING])
    assert asked == [GREETING.request, *(r.text for r in TEST[1:])]
    asked.clear()
    await works.publish(until("never"), probes=[GREETING])
    assert len(asked) >= len(VALIDATION) + len(TEST), "a publication that ended keeps nothing"


def test_a_leak_between_splits_stops_the_recipe(tmp_path: Path) -> None:
    leaked = [row("where is ORD-7777", track("ORD-7777"))]
    data = split(tmp_path, train=VALIDATION, validation=TEST, test=leaked)
    with pytest.raises(DatasetRefused, match="leak_form"):
        check_data(data, DESK)


def test_a_missing_split_stops_the_recipe(tmp_path: Path) -> None:
    data = split(tmp_path, train=VALIDATION, validation=TEST)
    with pytest.raises(RowError, match="holds no test"):
        check_data(data, DESK)


def test_rows_for_another_toolset_stop_the_recipe(tmp_path: Path) -> None:
    strangers = [replace(row, toolset="0" * 64) for row in VALIDATION]
    data = split(tmp_path, train=strangers, validation=TEST[:2], test=TEST[2:])
    with pytest.raises(DatasetRefused, match="toolset"):
        check_data(data, DESK)


async def test_a_broken_folder_in_the_way_is_replaced_and_that_is_said(
    works: Works, caplog: pytest.LogCaptureFixture
) -> None:
    write_adapter(works.out, toolset_fingerprint="0" * 64)
    engine = ScriptedEngine({text: dict(target) for text, target in ANSWERS.items()})
    await works.publish(engine)
    assert "not compared: " in caplog.text
    assert works.served.name == "support"
