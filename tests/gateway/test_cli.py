"""The command itself: which verbs it has, what it says without a gateway, and its last resort."""

import json
import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli import TRAINING_VERBS, build
from tests.gateway.cli_gateway import ROOT, gateway, pointsman, unused_port
from tests.gateway.serving import settings

GROUP = "pointsman.commands"
ASKS = [
    ("route", "where is ORD-1234?"),
    ("call", "track_order", "{}"),
    ("tools",),
    ("servers", "add", "shop", "--server-url", "http://127.0.0.1:1/mcp"),
    ("servers", "list"),
    ("servers", "remove", "shop"),
    ("servers", "refresh", "shop"),
    ("adapters", "add", "folder"),
    ("adapters", "list"),
    ("adapters", "activate", "support"),
    ("adapters", "rollback", "support"),
    ("adapters", "remove", "support"),
    ("calls", "list"),
    ("calls", "label", "route_1", "right"),
    ("drift",),
]
WITHOUT_TORCH = """
import sys
from importlib.abc import MetaPathFinder

class Absent(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "transformers", "peft", "trl", "datasets"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
from gateway.cli import main
main()
"""


@pytest.mark.parametrize("arguments", ASKS, ids=" ".join)
def test_without_a_gateway_every_verb_says_how_to_start_one(arguments: tuple[str, ...]):
    url = f"http://127.0.0.1:{unused_port()}"
    ran = pointsman(*arguments, "--url", url)
    assert (ran.code, ran.out) == (2 if arguments == ("drift",) else 1, "")
    assert url in ran.complaint
    assert "pointsman serve" in ran.complaint


@pytest.mark.parametrize("arguments", ASKS, ids=" ".join)
def test_without_a_gateway_every_verb_still_prints_one_json_document(arguments: tuple[str, ...]):
    ran = pointsman(*arguments, "--json", "--url", f"http://127.0.0.1:{unused_port()}")
    assert ran.json["code"] == "unreachable"
    assert ran.complaint


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://example.com", "http://[", "http://a:b"])
def test_an_address_that_is_none_ends_with_2(url: str):
    ran = pointsman("tools", "--url", url)
    assert ran.code == 2
    assert "--url" in ran.complaint


def test_a_key_is_asked_for_and_then_used(tmp_path: Path):
    auth = {"agent_keys": ["agent-key"], "admin_keys": ["admin-key"]}
    with gateway(settings(tmp_path, adapter=False, auth=auth)) as url:
        without = pointsman("servers", "list", "--url", url)
        assert without.code == 1
        assert "POINTSMAN_KEY" in without.complaint
        wrong = pointsman("servers", "list", "--url", url, POINTSMAN_KEY="agent-key")
        assert wrong.code == 1
        assert "admin key" in wrong.complaint
        assert pointsman("drift", "--url", url).code == 2
        right = pointsman("servers", "list", "--url", url, POINTSMAN_KEY=" admin-key\n")
        assert right.code == 0


def test_a_key_that_no_header_can_carry_ends_with_2():
    assert "POINTSMAN_KEY" in pointsman("tools", POINTSMAN_KEY="schlüssel").complaint


def test_no_proxy_stands_between_the_command_and_this_machine(tmp_path: Path):
    proxy = f"http://127.0.0.1:{unused_port()}"
    with gateway(settings(tmp_path, adapter=False)) as url:
        assert pointsman("tools", "--url", url, HTTP_PROXY=proxy, http_proxy=proxy).code == 0


def test_another_server_at_the_address_is_not_taken_for_a_gateway(tmp_path: Path):
    with gateway(settings(tmp_path, adapter=False)) as url:
        ran = pointsman("tools", "--url", f"{url}/docs?")
    assert ran.code == 1
    assert "no Pointsman gateway" in ran.complaint


def test_the_version_is_printed():
    ran = pointsman("--version")
    assert ran.code == 0
    assert ran.out[0].isdigit()


@pytest.mark.parametrize("arguments", [("fly",), ("route", "--fly", "x"), ("servers", "fly")])
def test_an_unknown_verb_or_option_ends_with_2(arguments: tuple[str, ...]):
    assert pointsman(*arguments).code == 2


@pytest.mark.parametrize("verb", TRAINING_VERBS)
def test_verbs_whose_extra_is_missing_say_what_to_install(verb: str):
    app = build([EntryPoint("training", "no_such_package.cli:mount", GROUP)])
    result = CliRunner().invoke(app, [verb, "--epochs", "3", "there"])
    assert result.exit_code == 1
    assert "no_such_package is missing" in result.stderr
    assert "pip install 'pointsman[train]'" in result.stderr


def test_a_mount_that_cannot_be_imported_leaves_the_other_verbs_working():
    app = build([EntryPoint("extras", "no_such_package.cli:mount", GROUP)])
    result = CliRunner().invoke(app, ["--version"])
    assert result.exit_code == 0


def test_the_command_works_without_torch():
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, "doctor", "--port", "0", "--json"],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads(ran.stdout)["ok"]


def test_whatever_goes_wrong_ends_in_one_line():
    broken = "from gateway import cli; cli.version = None; cli.main()"
    ran = subprocess.run(
        [sys.executable, "-c", broken, "--version"],
        capture_output=True, text=True, cwd=ROOT, check=False, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    assert ran.returncode == 1
    assert len(ran.stderr.splitlines()) == 1
    assert "TypeError" in ran.stderr
