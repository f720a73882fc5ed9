"""Reports and published folders, with the scripted engine for the model."""

import json
from pathlib import Path

import httpx
import pytest

from gateway.engines.base import Prompt
from gateway.engines.scripted import ScriptedEngine
from gateway.errors import AdapterRefused
from gateway.manifest import BaseModelSpec, Calibration, Probe, read_adapter
from gateway.types import Evidence, Message
from tests.adapters import support_toolset, write_adapter
from tests.training.folders import RECORDED, run_folder
from training.evaluate import Teacher, answers, evaluate, proposals
from training.publish import PublishRefused, put_back, refuse_below, unpublished, write_folder
from training.rows import Row

TRACK = {"tool": "track_order", "arguments": {"order_id": "ORD-1234"}}
NO_TOOL = {"tool": "no_tool", "reason": "chat"}


def row(text: str, target: dict, kind: str = "call") -> Row:
    return Row((Message("user", text),), target, kind, "test")


ROWS = [
    row("where is ORD-1234", TRACK),
    row("track ORD-1234 and be quick", TRACK),
    row("status of ORD-1234", TRACK),
    row("hello", NO_TOOL, "chat"),
    row("where is order 12", NO_TOOL, "malformed"),
]


def scripted(prompt: Prompt) -> object:
    text = prompt.messages[-1]["content"]
    if prompt.adapter is None:
        return "I am not sure." if prompt.schema is None else NO_TOOL
    return {
        "where is ORD-1234": TRACK,
        "track ORD-1234 and be quick": {"tool": "track_order", "arguments": {"order_id": "12"}},
        "status of ORD-1234": {"tool": "search_help", "arguments": {"query": "status of ORD-1234"}},
        "hello": NO_TOOL,
        "where is order 12": {"tool": "track_order", "arguments": {"order_id": "ORD-0012"}},
    }[text]


async def report(tmp_path: Path) -> dict:
    adapter = read_adapter(write_adapter(tmp_path / "adapter"))
    engine = ScriptedEngine(scripted, logprob=-0.1)
    await engine.load(adapter.version, adapter.folder)
    return await evaluate(engine, adapter, ROWS)


async def test_the_report_counts_each_figure_over_its_own_rows(tmp_path: Path) -> None:
    found = (await report(tmp_path))["adapter"]["constrained"]
    shares = {name: (found[name]["k"], found[name]["n"]) for name in found if name != "lesson"}
    assert shares == {
        "valid_tool_call_rate": (4, 5),
        "tool_name_accuracy": (1, 3),
        "argument_match_accuracy": (1, 1),
        "exact": (3, 5),
        "false_tool_call_rate": (0, 2),
        "missed_call_rate": (1, 3),
        "wrong_call_rate": (1, 5),
        "coverage": (2, 3),
    }


async def test_without_grounding_the_invented_order_number_is_a_false_call(tmp_path: Path) -> None:
    found = (await report(tmp_path))["adapter"]["constrained_ungrounded"]
    assert found["false_tool_call_rate"]["k"] == 1


async def test_the_report_lists_silent_failures_and_compares_with_the_base_model(
    tmp_path: Path,
) -> None:
    found = await report(tmp_path)
    assert [item["request"] for item in found["wrong_calls"]] == ["status of ORD-1234"]
    assert found["base_model"]["free"]["valid_tool_call_rate"]["k"] == 0
    assert found["base_model"]["constrained"]["exact"]["k"] == 2
    assert found["mcnemar_constrained"] == {"only_first": 0, "only_second": 1, "p": 1.0}
    assert found["per_kind"]["call"]["n"] == 3
    json.dumps(found)


async def test_what_the_report_adds_is_about_the_answers_that_are_served(tmp_path: Path) -> None:
    found = await report(tmp_path)
    columns = found["confusion"]["called"]
    tracked = found["confusion"]["counts"][found["confusion"]["wanted"].index("track_order")]
    assert dict(zip(columns, tracked, strict=True)) == {
        **dict.fromkeys(columns, 0), "track_order": 1, "search_help": 1, "invalid": 1,
    }  # fmt: skip
    (point,) = found["risk_coverage"]["points"]
    assert (point["called"], point["coverage"], point["wrong_call_rate"]) == (2, 0.6667, 0.2)
    assert point["threshold"] == pytest.approx(0.87, abs=0.01)
    assert found["reliability"]["bins"][8]["n"] == 2
    (missed,) = found["missed"]
    assert (missed["request"], missed["reason_code"]) == (ROWS[1].text, "schema")
    assert found["per_voice"]["test"]["wrong_call_rate"]["k"] == 1
    assert found["arguments"]["track_order.order_id"]["wrong"] == 1


async def test_every_column_says_what_it_costs(tmp_path: Path) -> None:
    found = await report(tmp_path)
    assert {name: list(modes) for name, modes in found["cost"].items()} == {
        "adapter": ["constrained", "free"],
        "base_model": ["free", "constrained"],
    }
    served = found["cost"]["adapter"]["constrained"]
    assert served == {key: found[key] for key in served}
    # Shown every schema, the base model reads far more.
    assert found["cost"]["base_model"]["free"]["prompt_tokens"] > 5 * served["prompt_tokens"]


async def test_base_and_adapter_are_compared_free_as_well_as_constrained(tmp_path: Path) -> None:
    found = await report(tmp_path)
    assert found["mcnemar_free"] == {"only_first": 0, "only_second": 3, "p": 0.25}
    assert "mcnemar_teacher" not in found


async def test_columns_that_are_not_asked_for_are_not_there(tmp_path: Path) -> None:
    adapter = read_adapter(write_adapter(tmp_path / "adapter"))
    engine = ScriptedEngine(scripted)
    await engine.load(adapter.version, adapter.folder)
    found = await evaluate(engine, adapter, ROWS, base_model=False, free=False)
    assert list(found["adapter"]) == ["constrained", "constrained_ungrounded", "at_threshold"]
    assert not {"base_model", "teacher", "mcnemar_free", "mcnemar_constrained"} & set(found)
    assert len(engine.prompts) == len(ROWS)


async def test_a_teacher_is_asked_first_and_has_a_column_of_its_own(tmp_path: Path) -> None:
    adapter = read_adapter(write_adapter(tmp_path / "adapter"))
    engine = ScriptedEngine(scripted)
    await engine.load(adapter.version, adapter.folder)
    prompts_before: list[int] = []

    def says(request: httpx.Request) -> httpx.Response:
        prompts_before.append(len(engine.prompts))
        return httpx.Response(200, json={"choices": [{"message": {"content": "Hello."}}]})

    teacher = Teacher("http://llm.test/v1", "big", transport=httpx.MockTransport(says))
    found = await evaluate(engine, adapter, ROWS, base_model=False, teacher=teacher)
    assert prompts_before == [0] * len(ROWS)
    assert found["teacher_model"] == "big"
    assert found["teacher"]["free"]["exact"]["k"] == 2
    assert found["teacher"]["free"]["missed_call_rate"]["k"] == 3
    assert found["mcnemar_teacher"] == {"only_first": 0, "only_second": 1, "p": 1.0}
    assert "llm.test" not in json.dumps(found)


async def test_no_rows_are_an_error_and_not_a_zero(tmp_path: Path) -> None:
    adapter = read_adapter(write_adapter(tmp_path / "adapter"))
    with pytest.raises(ValueError, match="no rows"):
        await evaluate(ScriptedEngine(), adapter, [])


async def test_only_calls_that_pass_every_check_are_calibrated_on(tmp_path: Path) -> None:
    adapter = read_adapter(write_adapter(tmp_path / "adapter"))
    engine = ScriptedEngine(scripted, logprob=-0.1)
    await engine.load(adapter.version, adapter.folder)
    found = await answers(engine, adapter, ROWS, constrained=True)
    assert proposals(found) == [(Evidence(-0.1), True), (Evidence(-0.1), False)]


async def test_an_adapter_below_its_minimum_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(PublishRefused, match=r"exact is 0\.6, wanted at least 0\.8"):
        refuse_below(await report(tmp_path), {"exact": 0.8, "valid_tool_call_rate": 0.5})


def test_a_published_folder_is_one_that_the_gateway_reads(tmp_path: Path) -> None:
    published = write_folder(
        run_folder(tmp_path / "run"),
        tmp_path / "out",
        name="support",
        toolset=support_toolset(),
        base_model=BaseModelSpec(name="base", weights_digest="f" * 64),
        probes=[Probe(request="where is ORD-1234", target=TRACK)],
        eval_rows=ROWS,
        calibration=Calibration(scale=2.0, offset=1.0, threshold=0.7),
    )
    adapter = read_adapter(tmp_path / "out")
    assert adapter.digest == published.digest
    assert adapter.manifest.calibration.threshold == 0.7
    assert adapter.manifest.prompt.form == "name"
    assert adapter.toolset.fingerprint == support_toolset().fingerprint
    assert len((tmp_path / "out" / "eval.jsonl").read_text().splitlines()) == len(ROWS)
    config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "base"
    assert not (tmp_path / "out" / "report.html").exists()


def test_a_manifest_tells_how_its_adapter_was_made(tmp_path: Path) -> None:
    manifest = unpublished(
        run_folder(tmp_path / "run"), tmp_path / "out", support_toolset()
    ).manifest
    assert manifest.data["data_digest"] == {"train": "ab"}
    assert (manifest.settings["seed"], manifest.settings["seconds"]) == (7, 12.5)
    assert manifest.environment == RECORDED
    assert manifest.toolset_mode == "exact"


def test_a_run_on_varied_tools_is_published_as_one(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "run", toolset_mode="varied", form="lines")
    adapter = unpublished(run, tmp_path / "out", support_toolset())
    assert adapter.manifest.toolset_mode == "varied"
    run = run_folder(tmp_path / "run", toolset_mode="varied")
    with pytest.raises(AdapterRefused, match="shows none of them"):
        unpublished(run, tmp_path / "name", support_toolset())


def test_a_folder_that_was_moved_aside_for_a_moment_is_put_back(tmp_path: Path) -> None:
    run, out = run_folder(tmp_path / "run"), tmp_path / "out"
    before = unpublished(run, out, support_toolset())
    out.rename(tmp_path / ".out.replaced")
    put_back(out)
    put_back(out)
    assert read_adapter(out).digest == before.digest
    after = unpublished(run_folder(tmp_path / "run", seed=8), out, support_toolset())
    put_back(out)
    assert read_adapter(out).digest == after.digest
    assert not list(tmp_path.glob(".*"))


async def test_the_page_beside_the_report_names_the_published_version(tmp_path: Path) -> None:
    published = write_folder(
        run_folder(tmp_path / "run"),
        tmp_path / "out",
        name="support",
        toolset=support_toolset(),
        base_model=BaseModelSpec(name="base", weights_digest="f" * 64),
        probes=(),
        eval_rows=ROWS,
        report=await report(tmp_path),
    )
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    graded = json.loads((tmp_path / "out" / "report.json").read_text())["adapter_version"]
    assert published.version in page
    assert graded not in page
    assert "made for tests" in page
