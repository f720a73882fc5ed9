"""`adapters`: storing, activating, rolling back and removing versions on a running gateway."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.manifest import read_adapter
from tests.adapters import write_adapter
from tests.gateway.cli_gateway import gateway, pointsman
from tests.gateway.serving import desk, settings
from tests.gateway.toolsets.upstream_doubles import Script


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A gateway with the order desk's tools and no adapter."""
    with gateway(settings(tmp_path, desk(tmp_path / "desk").config(), adapter=False)) as address:
        yield address


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_adapter(tmp_path / "first")


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    return write_adapter(tmp_path / "second", created="2026-11-22T00:00:00Z")


def version(folder: Path) -> str:
    return read_adapter(folder).version


def in_service(url: str) -> list[str]:
    answer = pointsman("adapters", "list", "--url", url, "--json").json
    return [item["version"] for item in answer["adapters"] if item["in_service"]]


def test_a_folder_is_stored_and_not_yet_in_service(url: str, folder: Path):
    ran = pointsman("adapters", "add", folder, "--url", url)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"adapter {version(folder)}: stored, not in service\n"
    assert in_service(url) == []


def test_a_folder_is_stored_and_brought_into_service_at_once(url: str, folder: Path):
    ran = pointsman("adapters", "add", folder, "--activate", "--toolset", "support", "--url", url)
    assert ran.code == 0
    assert "in service for toolset support" in ran.out
    assert in_service(url) == [version(folder)]


def test_a_relative_folder_is_one_of_the_working_directory(
    url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(folder.parent)
    assert pointsman("adapters", "add", folder.name, "--url", url).code == 0


@pytest.mark.parametrize("how", ["name", "version", "folder"])
def test_an_adapter_is_activated_by_name_version_or_folder(url: str, folder: Path, how: str):
    pointsman("adapters", "add", folder, "--url", url)
    named = {"name": "support", "version": version(folder), "folder": folder}[how]
    ran = pointsman("adapters", "activate", named, "--url", url, "--json")
    assert ran.code == 0
    assert (ran.json["version"], ran.json["in_service"]) == (version(folder), True)


@pytest.mark.parametrize("how", ["name", "version"])
def test_a_rollback_brings_the_version_before_back(url: str, folder: Path, newer: Path, how: str):
    for each in (folder, newer):
        pointsman("adapters", "add", each, "--activate", "--url", url)
    assert in_service(url) == [version(newer)]
    named = {"name": "support", "version": version(newer)}[how]
    assert pointsman("adapters", "rollback", named, "--url", url).code == 0
    assert in_service(url) == [version(folder)]


def test_the_list_shows_what_is_in_service(url: str, folder: Path, newer: Path):
    pointsman("adapters", "add", folder, "--url", url)
    pointsman("adapters", "add", newer, "--activate", "--url", url)
    ran = pointsman("adapters", "list", "--url", url)
    rows = {line.split()[0]: line for line in ran.out.splitlines()[2:]}
    assert "support  " not in rows[version(folder)]
    assert rows[version(newer)].split()[1:3] == ["support", "none"]


def test_an_empty_list_says_how_to_add(url: str):
    ran = pointsman("adapters", "list", "--url", url)
    assert ran.code == 0
    assert "pointsman adapters add" in ran.out


def test_a_stored_version_is_removed(url: str, folder: Path):
    pointsman("adapters", "add", folder, "--url", url)
    ran = pointsman("adapters", "remove", version(folder), "--url", url)
    assert (ran.code, ran.out) == (0, f"removed adapter {version(folder)}\n")
    assert "no adapter" in pointsman("adapters", "list", "--url", url).out


def refusals(folder: Path) -> list[tuple[tuple[Any, ...], str]]:
    return [
        (("add", folder.parent / "absent"), "not an adapter folder"),
        (("activate", "absent"), "no adapter 'absent' is stored"),
        (("activate", folder.parent / "absent"), "not an adapter folder"),
        (("rollback", "absent"), "no adapter 'absent' is in service"),
        (("rollback", "support"), "has no version before"),
        (("remove", "support"), "is in service"),
        (("remove", "absent"), "no adapter 'absent' is stored"),
    ]


@pytest.mark.parametrize("index", range(7))
def test_what_is_refused_ends_with_1_and_says_why(url: str, folder: Path, index: int):
    pointsman("adapters", "add", folder, "--activate", "--url", url)
    arguments, why = refusals(folder)[index]
    ran = pointsman("adapters", *arguments, "--url", url)
    assert (ran.code, ran.out) == (1, "")
    assert why in ran.complaint
    assert in_service(url) == [version(folder)]


def test_an_adapter_whose_tools_are_not_live_is_stored_but_not_in_service(
    tmp_path: Path, folder: Path
):
    other = Script(tmp_path / "other", "unrelated").config()
    with gateway(settings(tmp_path, other, adapter=False)) as url:
        ran = pointsman("adapters", "add", folder, "--activate", "--url", url)
        assert ran.code == 1
        assert f"{version(folder)} is stored, but not in service" in ran.complaint
        assert "none of its tools is live" in ran.complaint
        assert in_service(url) == []


def test_a_toolset_without_activation_ends_with_2(folder: Path):
    ran = pointsman("adapters", "add", folder, "--toolset", "support")
    assert ran.code == 2
    assert "--activate" in ran.complaint


def trial(url: str, name: str, *flags: str) -> str:
    ran = pointsman("adapters", "activate", name, *flags, "--url", url)
    assert (ran.code, ran.err) == (0, "")
    return ran.out


def test_a_canary_is_tried_and_promoted(url: str, folder: Path, newer: Path):
    pointsman("adapters", "add", folder, "--activate", "--url", url)
    pointsman("adapters", "add", newer, "--url", url)
    out = trial(url, version(newer), "--canary", "10", "--auto")
    assert out == f"adapter {version(newer)}: on trial for toolset support (canary 10 %)\n"
    assert in_service(url) == [version(folder)]
    listed = pointsman("adapters", "list", "--url", url).out
    assert "support (canary 10 %)" in listed
    assert pointsman("adapters", "promote", newer, "--url", url).code == 0
    assert in_service(url) == [version(newer)]


def test_a_shadow_is_rolled_back(url: str, folder: Path, newer: Path):
    pointsman("adapters", "add", folder, "--activate", "--url", url)
    pointsman("adapters", "add", newer, "--url", url)
    assert "(shadow)" in trial(url, version(newer), "--shadow")
    assert pointsman("adapters", "rollback", "support", "--url", url).code == 0
    assert in_service(url) == [version(folder)]
    ran = pointsman("adapters", "promote", "support", "--url", url)
    assert ran.code == 1
    assert "no such trial" in ran.complaint


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--canary", "10", "--shadow"), "not both"),
        (("--auto",), "--auto goes with"),
        (("--canary", "0"), "percentage"),
        (("--canary", "60"), "percentage"),
    ],
)
def test_a_trial_that_cannot_be_meant_ends_with_2(flags: tuple[str, ...], words: str):
    ran = pointsman("adapters", "activate", "support", *flags)
    assert ran.code == 2
    assert words in ran.complaint
