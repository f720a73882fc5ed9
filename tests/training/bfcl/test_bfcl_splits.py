"""Parts of BFCL that share no tool, the same for every reader."""

from pathlib import Path

from tests.training.bfcl.samples import entry, function, write
from training.bfcl.files import Case, read_cases
from training.bfcl.splits import split


def cases(tmp_path: Path, *tools: tuple[str, ...]) -> list[Case]:
    """Irrelevance cases, each with these tools on offer, half of them live."""
    made = [
        entry(f"c{number}", functions=[function(name) for name in names])
        for number, names in enumerate(tools)
    ]
    half = len(made) // 2
    return read_cases(
        write(tmp_path, {"irrelevance": made[:half], "live_irrelevance": made[half:]})
    )


def names(part: tuple[Case, ...]) -> set[str]:
    return {name.replace(".", "_").lower() for case in part for name in case.tool_names}


PAIRS = [(f"t{number}", f"u{number}") for number in range(9)]
LINKED = [("a", "b"), ("b", "c"), ("c",), *PAIRS, ("x.y",), ("X_Y",)]


def test_no_tool_of_the_test_part_is_in_the_training_part(tmp_path: Path):
    found = cases(tmp_path, *LINKED)
    for seed in range(20):
        parts = split(found, seed=seed)
        assert not names(parts.train) & names(parts.test)
        assert {"a", "b", "c"} <= names(parts.train) or {"a", "b", "c"} <= names(parts.test)


def test_every_case_is_in_one_part_and_the_test_part_keeps_to_its_share(tmp_path: Path):
    found = cases(tmp_path, *LINKED)
    parts = split(found, test_share=0.5)
    assert len(parts.train) + len(parts.test) == len(found)
    assert {case.id for case in (*parts.train, *parts.test)} == {case.id for case in found}
    assert 5 <= len(parts.test) <= 7


def test_a_group_too_large_for_the_test_part_is_trained_on(tmp_path: Path):
    found = cases(tmp_path, *[("common", f"t{i}") for i in range(6)], ("x",), ("y",))
    for seed in range(10):
        assert names(split(found, seed=seed).test) == {"x", "y"}


def test_order_does_not_matter_and_the_seed_does(tmp_path: Path):
    found = cases(tmp_path, *LINKED)
    ids = [{case.id for case in split(found, seed=seed).test} for seed in range(8)]
    assert {case.id for case in split(found[::-1], seed=3).test} == ids[3]
    assert len({frozenset(part) for part in ids}) > 1


def test_a_case_without_tools_is_tested_on(tmp_path: Path):
    parts = split(cases(tmp_path, (), ("a",), ("a",), ("a",), ("a",)))
    assert [case.id for case in parts.test] == ["c0"]


def test_cases_are_counted_by_part_and_category(tmp_path: Path):
    counts = split(cases(tmp_path, ("a",), ("a",), ("a",), ("b",))).counts
    assert counts == {
        "train": {"irrelevance": 2, "live_irrelevance": 1},
        "test": {"live_irrelevance": 1},
    }
