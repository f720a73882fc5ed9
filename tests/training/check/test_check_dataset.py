"""The whole check, over folders and over the command line."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from gateway.types import Toolset
from tests.adapters import SUPPORT
from tests.training.check.made import DESK, no_tool, row, track
from training.check.dataset import DatasetRefused, check, inspect, read_splits
from training.check.report import Finding, listed
from training.commands import dataset_check
from training.rows import Row, RowError, row_json

BASE_MODEL = Path(__file__).parents[3] / ".models" / "smollm2-135m-instruct"


def good(first: int = 1000) -> list[Row]:
    """Ten rows without error or warning."""
    wishes = ["where is my lamp", "any news about parcel", "tell me how far the rug got, order"]
    rows = [row(f"{wish} {first}", track(f"ORD-{first}")) for wish in wishes]
    later = ["track this one", "has the courier left", "did my sofa ship", "who has the pan now",
             "still waiting for that bike", "when will the desk be here"]  # fmt: skip
    rows += [row(f"{wish} {first}?", track(f"ORD-{first}")) for wish in later]
    return [*rows, row([("user", "good evening"), ("user", "thank you")], no_tool())]


def write(folder: Path, **splits: list[Row]) -> Path:
    for name, rows in splits.items():
        (folder / name).mkdir(parents=True)
        lines = [json.dumps(row_json(row)) for row in rows]
        (folder / name / "desk.jsonl").write_text("\n".join(lines))
    return folder


@pytest.fixture
def command() -> typer.Typer:
    app = typer.Typer()
    app.callback()(lambda: None)
    dataset_check.mount(app)
    return app


def run(command: typer.Typer, *arguments: Any) -> Result:
    given = ["check", "--toolset", str(SUPPORT), *map(str, arguments)]
    return CliRunner().invoke(command, given)


def test_good_rows_pass_and_the_report_has_their_figures():
    report = check({"train": good()}, DESK)
    assert report.errors == report.warnings == ()
    assert report.figures["toolset"] == DESK.name
    assert report.figures["splits"]["train"]["rows"] == 10
    assert report.figures["findings"] == {}


def test_a_leak_is_refused_with_rule_and_place_and_inspect_only_reports_it():
    splits = {"train": good(), "test": [row("where is my lamp 2222", track("ORD-2222"))]}
    report = inspect(splits, DESK)
    assert [error.rule for error in report.errors] == ["leak_form"]
    with pytest.raises(DatasetRefused, match=r"1 errors:\n  leak_form: .*train row 1") as refusal:
        check(splits, DESK)
    assert refusal.value.report == report


def test_a_long_list_of_errors_is_cut_and_counted_but_the_report_has_all():
    wrong = [row(f"hello number {word}", track("ORD-4821"))
             for word in ("apple", "bear", "cat", "dog", "egg", "fig", "gum")]  # fmt: skip
    with pytest.raises(DatasetRefused, match="and 2 more") as refusal:
        check({"train": wrong}, DESK)
    assert len(refusal.value.report.errors) == 7


def test_a_list_of_findings_shows_the_first_of_each_rule_and_counts_the_others():
    many = [Finding("warning", "near", f"pair {n}", (f"a:{n}", f"b:{n}")) for n in range(5)]
    lines = list(listed([*many, Finding("warning", "share", "few of train")], 2))
    assert lines == [
        "near: pair 0 (a:0, b:0)", "near: pair 1 (a:1, b:1)", "near: and 3 more",
        "share: few of train",
    ]  # fmt: skip


def test_no_rows_at_all_are_no_data_set():
    with pytest.raises(ValueError, match="no rows in test"):
        inspect({"train": good(), "test": []}, DESK)
    with pytest.raises(ValueError, match="no rows in the data set"):
        inspect({}, DESK)


def test_splits_are_the_folders_that_are_there(tmp_path: Path):
    folder = write(tmp_path, train=good(), test=good(2000))
    (folder / "refused" / "train").mkdir(parents=True)
    (folder / "refused" / "train" / "desk.jsonl").write_text("{}")
    (folder / "README.md").write_text("rows")
    assert {name: len(rows) for name, rows in read_splits(folder, DESK).items()} == {
        "train": 10, "test": 10
    }  # fmt: skip
    assert list(read_splits(folder / "train" / "desk.jsonl", DESK)) == ["desk"]


@pytest.mark.parametrize("stray", ["dev/desk.jsonl", "desk.jsonl", "rejected.jsonl"])
def test_rows_that_belong_to_no_split_are_not_passed_over(tmp_path: Path, stray: str):
    folder = write(tmp_path, train=good())
    (folder / stray).parent.mkdir(exist_ok=True)
    (folder / stray).write_text("{}")
    with pytest.raises(
        RowError, match=re.escape(stray) + ".*`dataset import` brings rows into one"
    ):
        read_splits(folder, DESK)


def test_a_folder_without_splits_says_which_it_wants(tmp_path: Path):
    with pytest.raises(RowError, match="none of the folders train, validation, test"):
        read_splits(tmp_path, DESK)


def test_the_command_shows_tables_and_exits_with_0_for_warnings(
    command: typer.Typer, tmp_path: Path
):
    folder = write(tmp_path, train=good()[:-1])
    result = run(command, folder)
    assert result.exit_code == 0, result.output
    assert "track_order" in result.stdout
    assert "0 errors" in result.stdout
    assert "no_tool_share: 1" in result.stdout


def test_the_command_exits_with_1_for_errors_and_lists_their_places(
    command: typer.Typer, tmp_path: Path
):
    folder = write(tmp_path, train=[*good(), row("and that?", track("ORD-4821"))])
    result = run(command, folder)
    assert result.exit_code == 1
    assert "ungrounded: 1" in result.stdout
    assert "desk.jsonl:11" in result.stdout.replace("\n", "")


def test_the_command_gives_one_json_document(command: typer.Typer, tmp_path: Path):
    folder = write(tmp_path, train=good(), test=good())
    result = run(command, folder, "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert set(report) == {"errors", "warnings", "figures"}
    assert report["figures"]["findings"]["leak_text"] == 10
    assert len(report["errors"][0]["places"]) == 2


def test_rows_with_tools_of_their_own_are_checked_in_the_mode_they_are_trained_in(
    command: typer.Typer, tmp_path: Path
):
    own = Toolset("two", DESK.tools[:2])
    folder = write(tmp_path, train=[replace(row, offered=own) for row in good()])
    exact = run(command, folder, "--json")
    assert [error["rule"] for error in json.loads(exact.stdout)["errors"]] == ["toolset"]
    varied = run(command, folder, "--toolset-mode", "varied", "--json")
    assert (varied.exit_code, json.loads(varied.stdout)["errors"]) == (0, [])


def test_tokens_are_counted_in_the_format_that_is_trained(command: typer.Typer, tmp_path: Path):
    if not BASE_MODEL.is_dir():
        pytest.skip("the base model is not prepared; `make test` does that")
    given = (write(tmp_path, train=good()), "--base-model", BASE_MODEL)
    assert "tokens" in run(command, *given).stdout
    native = run(command, *given, "--format", "native")
    assert native.exit_code == 1
    assert "chat template" in native.stderr


def test_a_broken_row_is_one_line_with_its_place(command: typer.Typer, tmp_path: Path):
    (tmp_path / "rows.jsonl").write_text("{")
    result = run(command, tmp_path / "rows.jsonl")
    assert result.exit_code == 1
    assert "rows.jsonl:1: " in result.stderr


def test_a_base_model_that_is_no_folder_is_not_looked_for_elsewhere(
    command: typer.Typer, tmp_path: Path
):
    folder = write(tmp_path, train=good())
    result = run(command, folder, "--base-model", tmp_path / "nowhere")
    assert result.exit_code == 1
    assert "no folder of a base model" in result.stderr
