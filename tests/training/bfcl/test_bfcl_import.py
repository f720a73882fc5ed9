"""Rows from BFCL: its own tools, one accepted answer, and nothing of the test part."""

from pathlib import Path
from typing import Any

import pytest

from tests.adapters import support_toolset
from tests.training.bfcl.samples import WEATHER, entry, function, rome, write
from training.bfcl.files import BfclError, read_cases
from training.bfcl.matching import calls_mismatch
from training.bfcl.splits import split
from training.imports.bfcl import NO_TOOL_REASON, read
from training.imports.gate import Imported, Refused, gate
from training.rows import Row

DESK = support_toolset()


def rows(tmp_path: Path, **pairs: Any) -> list[Row]:
    return list(gate(read(write(tmp_path, pairs)), DESK, "bfcl").rows)


def arguments(tmp_path: Path, request: str, declared: Any, accepted: Any, *required: str) -> Any:
    """What the row of a one-tool case wants `f` to be called with."""
    pair = entry(
        "x", request, functions=[function("f", *required, **declared)], truth=[{"f": accepted}]
    )
    (row,) = rows(tmp_path, simple_python=[pair])
    return row.target["arguments"]


def test_a_case_is_a_row_with_its_own_tools(tmp_path: Path):
    (row,) = rows(tmp_path, simple_python=[rome("simple_python_0")])
    assert row.text == "Weather in Rome?"
    assert row.target == {"tool": "weather_get", "arguments": {"city": "Rome"}}
    assert (row.kind, row.voice) == ("call", "bfcl_simple_python")
    assert row.offered is not None
    assert row.offered.name == "tools"
    assert list(row.offered.by_name) == ["weather_get"]


def test_several_expected_calls_are_several_calls(tmp_path: Path):
    truth = [{"weather.get": {"city": [city]}} for city in ("Rome", "Oslo")]
    (row,) = rows(tmp_path, parallel=[entry("x", "Rome and Oslo", truth=truth)])
    assert [call.arguments["city"] for call in row.calls] == ["Rome", "Oslo"]


def test_irrelevance_wants_no_tool_and_relevance_is_refused(tmp_path: Path):
    folder = write(tmp_path, {"irrelevance": [entry("a")], "live_relevance": [entry("b")]})
    wanted, refused = read(folder)
    assert isinstance(wanted, Imported)
    assert wanted.value["target"] == {"tool": "no_tool", "reason": NO_TOOL_REASON}
    assert wanted.value["kind"] == "out_of_scope"
    assert isinstance(refused, Refused)
    assert "any call" in refused.reason


def test_a_conversation_stays_one(tmp_path: Path):
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Yes?"},
        {"role": "user", "content": "Weather in Rome"},
    ]
    (row,) = rows(
        tmp_path,
        multiple=[entry("x", turns, truth=[{"weather.get": {"city": ["Rome"]}}])],
    )
    assert [turn.role for turn in row.messages] == ["user", "assistant", "user"]


@pytest.mark.parametrize(
    ("request_text", "accepted", "wanted"),
    [
        ("Trip to NYC", {"a": ["New York", "NYC"]}, {"a": "NYC"}),
        ("Trip to the big apple", {"a": ["New York", "NYC"]}, {"a": "New York"}),
        ("In blue", {"a": ["blue", ""]}, {"a": "blue"}),
        ("In any colour", {"a": ["blue", ""]}, {}),
        ("The blueprint", {"a": ["blue", ""]}, {}),
        ("A pet-friendly room", {"a": ["", "pet_friendly"]}, {"a": "pet_friendly"}),
    ],
)
def test_the_value_said_is_wanted_and_what_is_not_said_is_left_out_where_it_may_be(
    tmp_path: Path, request_text: str, accepted: Any, wanted: Any
):
    assert arguments(tmp_path, request_text, {"a": "string"}, accepted) == wanted


def test_numbers_are_found_as_they_are_said(tmp_path: Path):
    declared = {"a": "float", "b": "integer", "c": "integer"}
    accepted = {"a": ["", 3.5], "b": ["", 12], "c": ["", 5]}
    assert arguments(tmp_path, "3.5 of 12 from 3.59", declared, accepted) == {"a": 3.5, "b": 12}


def test_a_required_argument_is_given_even_if_it_may_be_left_out(tmp_path: Path):
    accepted = {"a": ["", "metric"]}
    wanted = arguments(tmp_path, "How far?", {"a": "string"}, accepted, "a")
    assert wanted == {"a": "metric"}


def test_objects_get_a_value_for_each_member_that_is_wanted(tmp_path: Path):
    one = {"size": ["large", "big"], "milk": ["oat", ""], "sugar": ["", "none"]}
    declared = {"a": "dict", "b": {"type": "array", "items": {"type": "dict"}}}
    wanted = arguments(tmp_path, "a big one with oat milk", declared, {"a": [one], "b": [[one]]})
    assert wanted == {"a": {"size": "big", "milk": "oat"}, "b": [{"size": "big", "milk": "oat"}]}


def test_what_the_benchmark_would_not_accept_itself_is_refused(tmp_path: Path):
    truth = [{"weather.get": {"city": ["Rome"], "planet": ["Earth"]}}]
    (refused,) = read(write(tmp_path, {"simple_python": [entry("x", truth=truth)]}))
    assert isinstance(refused, Refused)
    assert refused.reason == "no call of JSON values is accepted"
    assert refused.raw["id"] == "x"


def test_broken_lines_are_refused_and_the_rest_is_read(tmp_path: Path):
    folder = write(tmp_path, {"simple_python": [rome("a"), rome("b")]})
    file = folder / "BFCL_v4_simple_python.json"
    file.write_text(file.read_text().replace('"id": "a"', '"id": '))
    refused, imported = read(folder)
    assert isinstance(refused, Refused)
    assert refused.place == f"{file}:1"
    assert isinstance(imported, Imported)


def test_the_test_part_is_held_out_whether_a_folder_or_a_file_is_read(tmp_path: Path):
    pairs = [
        entry(f"c{i}", "Go to Rome", [function(f"f{i}", a="string")], [{f"f{i}": {"a": ["Rome"]}}])
        for i in range(10)
    ]
    folder = write(tmp_path, {"simple_python": pairs[:5], "multiple": pairs[5:]})
    parts = split(read_cases(folder))
    found = list(read(folder))
    held_out = [item.raw["id"] for item in found if isinstance(item, Refused)]
    assert held_out == [case.id for case in parts.test]
    assert len(held_out) == 3
    of_file = list(read(folder / "BFCL_v4_multiple.json"))
    assert [item.place for item in of_file] == [item.place for item in found[5:]]


def test_every_row_wants_what_the_benchmark_accepts(tmp_path: Path):
    folder = write(tmp_path, {"simple_python": [rome("a")], "multiple": [rome("b")]})
    by_place = {case.place: case for case in read_cases(folder)}
    for row in gate(read(folder), DESK, "bfcl").rows:
        case = by_place[row.place]
        calls = [case.offer.in_original(call) for call in row.calls]
        assert calls_mismatch([WEATHER], case.expected, calls) is None


def test_the_installed_package_is_read_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    info = tmp_path / "site" / "bfcl_eval-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.4\nName: bfcl_eval\nVersion: 1\n")
    write(tmp_path / "site" / "bfcl_eval" / "data", {"irrelevance": [entry("x")]})
    monkeypatch.syspath_prepend(tmp_path / "site")
    (only,) = read(Path("bfcl-eval"))
    assert isinstance(only, Imported)


def test_a_folder_without_the_files_is_an_error(tmp_path: Path):
    with pytest.raises(BfclError, match="No such file"):
        list(read(tmp_path))
