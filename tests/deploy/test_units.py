"""The systemd units: what they start exists, and they hold what they must."""

import configparser
import shlex

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


def test_a_word_that_is_no_verb_or_option_is_found() -> None:
    assert unknown_options(["serve", "--prot", "1"]) == ["--prot"]
    assert unknown_options(["fly"]) == ["fly"]
