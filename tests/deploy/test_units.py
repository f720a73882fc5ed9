"""The systemd units: what they start exists, and they hold what they must."""

import configparser
import re
import shlex
from collections.abc import Iterator

import pytest

from tests.deploy.verbs import unknown_options
from tests.gateway.cli_gateway import ROOT

UNITS = ("pointsman", "pointsman-engine")


def unit(name: str) -> configparser.ConfigParser:
    parsed = configparser.ConfigParser(interpolation=None, strict=True)
    parsed.optionxform = str  # type: ignore[assignment,method-assign]
    parsed.read_string((ROOT / "deploy" / f"{name}.service").read_text())
    return parsed


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_starts_a_verb_with_options_that_it_has(name: str) -> None:
    program, *arguments = shlex.split(unit(name)["Service"]["ExecStart"])
    assert program.endswith("/bin/pointsman")
    assert unknown_options(arguments) == []


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_is_not_roots_and_writes_to_its_own_folders_alone(name: str) -> None:
    service = unit(name)["Service"]
    assert service["User"] == "pointsman"
    assert service["ProtectSystem"] == "strict"
    assert service["NoNewPrivileges"] == "yes"
    assert service["CapabilityBoundingSet"] == ""


def test_vllm_is_reached_from_this_machine_alone_and_stopped_by_its_supervisor() -> None:
    service = unit("pointsman-engine")["Service"]
    assert (service["IPAddressDeny"], service["IPAddressAllow"]) == ("any", "localhost")
    assert "--host 127.0.0.1" in service["ExecStart"]
    assert service["KillMode"] == "mixed"


def installed() -> Iterator[tuple[str, bool]]:
    """What the README's commands put where, and whether they make its folder."""
    section = (ROOT / "deploy" / "README.md").read_text().split("## systemd\n")[1]
    for line in section.split("```")[1].strip().splitlines():
        for command in line.split(" && "):
            program, *words = shlex.split(command)
            if program in ("install", "cp"):
                yield words[-1], "-D" in words


def test_what_is_installed_goes_into_a_folder_that_is_made_or_is_systemds() -> None:
    found = dict(installed())
    units = [(ROOT / "deploy" / f"{name}.service").read_text() for name in UNITS]
    read = {path for text in units for path in re.findall(r"/etc/[\w./-]+", text)}
    assert read <= found.keys()
    assert {target for target, made in found.items() if not made} == {"/etc/systemd/system/"}


def test_the_gateway_is_told_where_its_vllm_listens() -> None:
    words = shlex.split(unit("pointsman-engine")["Service"]["ExecStart"])
    host, port = (words[words.index(option) + 1] for option in ("--host", "--port"))
    assert f'url = "http://{host}:{port}"' in (ROOT / "deploy" / "README.md").read_text()


def test_a_word_that_is_no_verb_or_option_is_found() -> None:
    assert unknown_options(["serve", "--prot", "1"]) == ["--prot"]
    assert unknown_options(["fly"]) == ["fly"]
