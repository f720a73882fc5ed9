"""The comparison with the version in service, as a rule over two reports and two manifests."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.manifest import Adapter, read_adapter
from gateway.types import Toolset
from tests.adapters import support_toolset, write_adapter
from tests.training.check.made import no_tool, row
from training.comparison import in_service, kept_report, not_comparable, refuse_worse
from training.publish import PublishRefused
from training.rows import rows_digest

DESK = support_toolset()
BASE = "0" * 64
ROWS = [row("hello", no_tool())]


def report(version: str, k: int, digest: str = "d") -> dict[str, Any]:
    exact = {"value": round(k / 10, 4), "k": k, "n": 10}
    scores = {"constrained": {"exact": exact}, "free": {"exact": {**exact, "k": 0}}}
    return {"adapter_version": version, "data_digest": digest, "adapter": scores}


def adapter(folder: Path, kept: Any = None, **manifest: Any) -> Adapter:
    write_adapter(folder, **manifest)
    (folder / "report.json").write_text(json.dumps(kept))
    return read_adapter(folder)


@pytest.mark.parametrize("k", [8, 9, 10])
def test_as_many_exact_answers_as_in_service_are_enough(k: int) -> None:
    refuse_worse(report("desk@new", k), report("desk@old", 8))


def test_fewer_exact_answers_are_refused_with_both_versions_and_figures() -> None:
    told = r"desk@new answers 7 of 10 \(0\.7\) exactly, desk@old in service 8 of 10 \(0\.8\)"
    with pytest.raises(PublishRefused, match=told):
        refuse_worse(report("desk@new", 7), report("desk@old", 8))


def test_reports_about_different_rows_are_no_comparison() -> None:
    with pytest.raises(ValueError, match="different rows"):
        refuse_worse(report("desk@new", 9), report("desk@old", 8, digest="other"))


def test_a_kept_report_about_the_same_rows_speaks_for_its_folders_version(tmp_path: Path) -> None:
    served = adapter(tmp_path / "a", report("desk@graded", 8, rows_digest(ROWS)))
    assert kept_report(served, ROWS) == report(served.version, 8, rows_digest(ROWS))


@pytest.mark.parametrize(
    "kept", [report("desk@graded", 8), {}, [], None, {"data_digest": rows_digest(ROWS)}]
)
def test_any_other_kept_report_says_nothing_about_these_rows(tmp_path: Path, kept: Any) -> None:
    assert kept_report(adapter(tmp_path / "a", kept), ROWS) is None


def test_base_model_and_toolset_must_be_the_same(tmp_path: Path) -> None:
    served = adapter(tmp_path / "a")
    fewer = Toolset(DESK.name, DESK.tools[1:])
    assert not_comparable(served, BASE, DESK) is None
    assert not_comparable(served, BASE, Toolset("other name", DESK.tools[::-1])) is None
    assert not_comparable(served, "1" * 64, DESK) == (
        "it belongs to base model tests (00000000), not 11111111"
    )
    assert not_comparable(served, BASE, fewer) == (
        f"it serves another toolset ({DESK.fingerprint[:8]})"
    )


def test_what_the_folder_to_write_holds_is_in_service_unless_another_is_named(
    tmp_path: Path,
) -> None:
    out, other = adapter(tmp_path / "out"), adapter(tmp_path / "other", rank=32)
    assert in_service(None, out.folder, BASE, DESK) == out
    assert in_service(other.folder, out.folder, BASE, DESK) == other
    assert in_service(None, tmp_path / "nothing", BASE, DESK) is None
