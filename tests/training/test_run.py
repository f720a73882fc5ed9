"""A run's folder: only the same run goes on in it, and its record says what it learned."""

import json
import resource
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.types import Toolset
from tests.adapters import support_toolset, write_adapter
from tests.training.folders import run_folder
from training.run import (
    RunMismatch,
    finish,
    mode_of,
    read_record,
    require_learned,
    require_made_on,
    require_same_run,
)

DESK = support_toolset()
FEWER = Toolset(DESK.name, DESK.tools[1:])
BASE, OTHER = "a" * 64, "b" * 64
LEARNED = {"toolset": DESK.fingerprint, "base_model": BASE}


@contextmanager
def full_disk(room: int = 10) -> Generator[None]:
    """A disk that takes `room` bytes a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_folder_with_another_run_is_refused_with_what_differs(tmp_path: Path) -> None:
    require_same_run(tmp_path / "run", {"rank": 16, "seed": 7, "targets": ("a", "b")})
    require_same_run(tmp_path / "run", {"rank": 16, "seed": 7, "targets": ("a", "b")})
    with pytest.raises(RunMismatch, match=r"rank is 8, was 16; seed is 9, was 7$"):
        require_same_run(tmp_path / "run", {"rank": 8, "seed": 9, "targets": ("a", "b")})


def test_a_finished_run_that_does_not_say_what_it_is_made_of_is_not_taken_for_another(
    tmp_path: Path,
) -> None:
    old = run_folder(tmp_path / "old")
    with pytest.raises(RunMismatch, match="old holds a finished run that does not say"):
        require_same_run(old, {"pairs": 1_000})


@pytest.mark.parametrize("write", [require_same_run, finish])
def test_what_could_not_be_written_to_its_end_is_not_there(
    tmp_path: Path, write: Callable[[Path, dict[str, str]], None]
) -> None:
    with full_disk(), pytest.raises(OSError, match="too large"):
        write(tmp_path, {"form": "name"})
    assert not list(tmp_path.glob("*.json"))
    write(tmp_path, {"form": "name"})
    (file,) = tmp_path.glob("*.json")
    assert json.loads(file.read_text()) == {"form": "name"}


@pytest.mark.parametrize(
    ("toolset", "base_model", "told"),
    [
        (FEWER, BASE, f"toolset {DESK.fingerprint[:8]}, not {FEWER.fingerprint[:8]}$"),
        (DESK, OTHER, "base_model aaaaaaaa, not bbbbbbbb$"),
        (FEWER, OTHER, "base_model a{8}, not b{8}, and on toolset "),
    ],
)
def test_a_run_is_taken_for_nothing_but_what_it_learned(
    tmp_path: Path, toolset: Toolset, base_model: str, told: str
) -> None:
    run = run_folder(tmp_path / "run", learned=LEARNED)
    require_learned(run, Toolset("other name", DESK.tools[::-1]), BASE)
    with pytest.raises(RunMismatch, match=f"run was trained on {told}"):
        require_learned(run, toolset, base_model)


def test_a_run_that_learned_varied_tools_goes_with_any_toolset(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "run", learned=LEARNED, toolset_mode="varied")
    assert mode_of(read_record(run)) == "varied"
    require_learned(run, FEWER, BASE)
    with pytest.raises(RunMismatch, match="base_model"):
        require_learned(run, FEWER, OTHER)


def test_an_older_run_does_not_say_what_it_learned_and_passes(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "run")
    assert mode_of(read_record(run)) == "exact"
    require_learned(run, FEWER, OTHER)


def test_an_adapter_to_go_on_from_must_be_of_the_same_base_model(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "run", learned=LEARNED)
    require_made_on(run, BASE)
    with pytest.raises(RunMismatch, match="run was made on base model aaaaaaaa, not bbbbbbbb"):
        require_made_on(run, OTHER)
    spec = {"name": "tests", "weights_digest": BASE}
    published = write_adapter(tmp_path / "published", base_model=spec)
    require_made_on(published, BASE)
    with pytest.raises(RunMismatch, match="published was made on base model aaaaaaaa"):
        require_made_on(published, OTHER)
    (published / "manifest.json").unlink()
    require_made_on(published, OTHER)
