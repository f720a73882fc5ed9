"""`pointsman evaluate --benchmark bfcl`, with the scripted engine for the model."""

import json
from pathlib import Path

import pytest
import typer

from gateway.engines.scripted import ScriptedEngine
from tests.adapters import write_adapter
from tests.training.bfcl.samples import entry, function, rome, write
from training.commands.benchmark import Asked, Taken, run_benchmark, take

ROME = {"tool": "weather_get", "arguments": {"city": "Rome"}}


def data(tmp_path: Path) -> Path:
    simple = [rome(f"s{number}") for number in range(6)]
    other = [entry(f"i{number}", functions=[function(f"f{number}")]) for number in range(4)]
    return write(tmp_path / "data", {"simple_python": simple, "irrelevance": other})


def engine(_: Path) -> ScriptedEngine:
    return ScriptedEngine({"Weather in Rome?": ROME})


def test_adapter_and_base_model_are_asked_the_same_cases(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    tuned = write_adapter(tmp_path / "adapter", prompt={"form": "lines"})
    out = tmp_path / "report.json"
    taken = Taken(data(tmp_path), limit=2)
    run_benchmark("bfcl", tmp_path, Asked(tuned), taken, out=out, as_json=True, make_engine=engine)
    report = json.loads(capsys.readouterr().out)
    assert report == json.loads(out.read_text())
    assert [(s["form"], s["cases"]) for s in report["systems"].values()] == [
        ("lines", 4),
        ("schemas", 4),
    ]
    assert report["systems"]["adapter"]["overall"]["k"] == 2
    assert report["limit"] == 2


def test_without_an_adapter_the_base_model_alone_is_asked_and_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run_benchmark("bfcl", tmp_path, Asked(None), Taken(data(tmp_path)), make_engine=engine)
    text = capsys.readouterr().out
    assert "BFCL v4" in text
    assert "simple_python" in text
    assert "100.0 %" in text


def test_cases_are_taken_by_category_and_evenly(tmp_path: Path):
    folder = data(tmp_path)
    cases, source = take(Taken(folder, "irrelevance, simple_python", limit=3))
    assert [case.id for case in cases] == ["i0", "i1", "i2", "s0", "s2", "s4"]
    assert source == folder.name
    assert len(take(Taken(folder))[0]) == 10


def test_held_out_cases_are_those_that_no_imported_row_shows(tmp_path: Path):
    cases, _ = take(Taken(data(tmp_path), held_out=True))
    assert [case.category for case in cases] == ["irrelevance"] * 3


@pytest.mark.parametrize("held_out", [True, False])
def test_only_cases_that_were_not_picked_by_their_tools_give_the_leaderboards_sums(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], held_out: bool
):
    folder, out = data(tmp_path), tmp_path / "report.json"
    taken = Taken(folder, held_out=held_out)
    run_benchmark("bfcl", tmp_path, Asked(None), taken, out=out, as_json=True, make_engine=engine)
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(out.read_text())
    (found,) = printed["systems"].values()
    assert ("leaderboard" in found) is not held_out
    run_benchmark("bfcl", tmp_path, Asked(None), taken, make_engine=engine)
    assert ("leaderboard:" in capsys.readouterr().out) is not held_out


@pytest.mark.parametrize(
    ("taken", "message"),
    [
        (
            Taken(categories="simple_java"),
            "unknown category 'simple_java'; known are simple_python",
        ),
        (Taken(limit=0), "a limit of 0 cases leaves none"),
        (Taken(categories="live_simple"), "no cases of live_simple are left to ask"),
    ],
)
def test_what_cannot_be_asked_ends_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], taken: Taken, message: str
):
    taken = Taken(data(tmp_path), taken.categories, taken.limit)
    with pytest.raises(typer.Exit) as ended:
        run_benchmark("bfcl", tmp_path, Asked(None), taken, make_engine=engine)
    assert ended.value.exit_code == 1
    assert message in capsys.readouterr().err


def test_an_unknown_benchmark_is_bad_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(typer.Exit) as ended:
        run_benchmark("mmlu", tmp_path, Asked(None), Taken(), make_engine=engine)
    assert ended.value.exit_code == 2
    assert "no benchmark 'mmlu'; there is bfcl" in capsys.readouterr().err
