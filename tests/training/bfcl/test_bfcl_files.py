"""BFCL's files: what is read, and what a broken line or a missing package says."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from gateway.types import Message
from tests.training.bfcl.samples import WEATHER, entry, function, one, rome, write
from training.bfcl.files import BfclError, cases_digest, installed_data, read_cases, read_category
from training.bfcl.matching import Expected


def test_a_case_has_its_question_its_tools_and_what_is_accepted(tmp_path: Path):
    case = one(tmp_path, "simple_python", rome("simple_python_0"))
    assert (case.id, case.category) == ("simple_python_0", "simple_python")
    assert case.messages == (Message("user", "Weather in Rome?"),)
    assert case.tool_names == ("weather.get",)
    assert list(case.offer.toolset.by_name) == ["weather_get"]
    assert case.expected == (Expected("weather.get", {"city": ["Rome"], "days": ["", 1]}),)
    assert case.place.endswith("BFCL_v4_simple_python.json:1")


@pytest.mark.parametrize("category", ["irrelevance", "live_irrelevance", "live_relevance"])
def test_some_categories_list_no_calls(tmp_path: Path, category: str):
    assert one(tmp_path, category, entry("x")).expected == ()


def test_what_the_system_says_stands_before_the_users_first_words(tmp_path: Path):
    turns = [
        {"role": "system", "content": "Today is 2024-02-21. "},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Yes?"},
        {"role": "user", "content": "Weather tomorrow?"},
    ]
    assert one(tmp_path, "irrelevance", entry("x", turns)).messages == (
        Message("user", "Today is 2024-02-21.\n\nHello"),
        Message("assistant", "Yes?"),
        Message("user", "Weather tomorrow?"),
    )


def test_cases_come_in_the_order_of_the_categories_asked_for(tmp_path: Path):
    write(tmp_path, {"multiple": [rome("b"), rome("a")], "simple_python": [rome("c")]})
    assert [case.id for case in read_cases(tmp_path, ["simple_python", "multiple"])] == list("cba")
    assert [case.id for case in read_cases(tmp_path)] == list("cba")


TWO_TOOLS = {"weather.get": {}, "fly": {}}


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        (entry("x", truth=[{"fly": {}}]), "x: the expected tool 'fly' is not on offer"),
        (entry("x", truth=[TWO_TOOLS]), "names one tool, this one 2"),
        (entry("x", truth=[{"weather.get": {"city": "Rome"}}]), "city must be a list"),
        (entry("x", truth=[]), "x has no possible answer"),
        (entry("x", functions=[function("f", a="Array")], truth=[{"f": {}}]), "type 'Array'"),
        (entry("x", functions=[WEATHER, WEATHER], truth=[{"weather.get": {}}]), "two functions"),
        (entry("x", [{"role": "robot", "content": "x"}], truth=[{"weather.get": {}}]), "a role"),
        (entry("x", [{"role": "system", "content": "x"}], truth=[{"weather.get": {}}]), "nobody"),
        (entry("x", [{"role": "user"}], truth=[{"weather.get": {}}]), "no member 'content'"),
    ],
)
def test_a_broken_case_is_named_with_its_line_and_kept_apart(
    tmp_path: Path, pair: Any, message: str
):
    write(tmp_path, {"multiple": [rome("good"), pair, rome("fine")]})
    with pytest.raises(BfclError, match=r"BFCL_v4_multiple\.json:2: .*" + re.escape(message)):
        read_cases(tmp_path)
    cases, broken = read_category(tmp_path, "multiple")
    assert [case.id for case in cases] == ["good", "fine"]
    assert message in broken[0].reason
    assert json.loads(broken[0].raw)["id"] == "x"


def test_a_case_of_several_turns_is_refused(tmp_path: Path):
    question, answer = rome("x")
    write(tmp_path, {"multiple": [({**question, "question": question["question"] * 2}, answer)]})
    with pytest.raises(BfclError, match="x has 2 turns"):
        read_cases(tmp_path)


def test_a_line_that_is_no_json_is_named(tmp_path: Path):
    write(tmp_path, {})
    (tmp_path / "BFCL_v4_irrelevance.json").write_text('\n{"id": \n[]\n')
    _, broken = read_category(tmp_path, "irrelevance")
    assert [item.place.rpartition(":")[2] for item in broken] == ["2", "3"]


def test_missing_files_and_unknown_categories_are_named(tmp_path: Path):
    with pytest.raises(BfclError, match=r"BFCL_v4_simple_python\.json: No such file"):
        read_cases(tmp_path)
    with pytest.raises(BfclError, match="unknown category 'simple_java'; known are simple_python"):
        read_cases(tmp_path, ["simple_java"])


def test_the_digest_follows_what_is_asked_and_accepted(tmp_path: Path):
    cases = read_cases(write(tmp_path, {"simple_python": [rome("a"), rome("b")]}))
    again = read_cases(write(tmp_path / "copy", {"simple_python": [rome("a"), rome("b")]}))
    other = entry("b", truth=[{"weather.get": {"city": ["Oslo"]}}])
    changed = read_cases(write(tmp_path / "other", {"simple_python": [rome("a"), other]}))
    assert cases_digest(cases) == cases_digest(again)
    assert len({cases_digest(found) for found in (cases, cases[::-1], cases[:1], changed)}) == 4


def install(folder: Path) -> None:
    """A distribution as pip leaves it, but for its files."""
    info = folder / "bfcl_eval-2026.1.2.dist-info"
    info.mkdir()
    metadata = "Metadata-Version: 2.4\nName: bfcl_eval\nVersion: 2026.1.2\n"
    (info / "METADATA").write_text(metadata)


def test_the_installed_packages_data_is_found_without_importing_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    install(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    write(tmp_path / "bfcl_eval" / "data", {"irrelevance": [entry("x")]})
    (tmp_path / "bfcl_eval" / "__init__.py").write_text("raise SystemExit('imported')")
    folder, version = installed_data()
    assert version == "2026.1.2"
    assert [case.id for case in read_cases(folder)] == ["x"]


def test_a_package_without_its_data_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    install(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BfclError, match=r"the data of bfcl-eval 2026\.1\.2 is not there"):
        installed_data()
