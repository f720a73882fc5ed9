"""`route --local`: the same answers as over HTTP, in the command's own process."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.adapters import write_adapter
from tests.gateway.cli_gateway import ROOT, gateway, pointsman, support
from tests.gateway.serving import ASK, TRACK, settings

ANSWERS = {ASK: json.dumps(TRACK), "hello": '{"tool": "no_tool", "reason": "only a greeting"}'}
MEASURED = ("id", "timings_ms")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return written(tmp_path, sys.executable)


def written(folder: Path, command: str) -> Path:
    write_adapter(folder / "adapter")
    answers = "\n".join(f"{json.dumps(k)} = {json.dumps(v)}" for k, v in ANSWERS.items())
    file = folder / "gateway.toml"
    file.write_text(
        f"""
        adapters = [{{folder = "adapter"}}]
        toolsets = [{{name = "support", servers = ["support"]}}]
        [[servers]]
        name = "support"
        command = {json.dumps(command)}
        args = ["-m", "mcp_servers.support", "--today", "2026-11-02"]
        cwd = {json.dumps(str(ROOT))}
        [engine]
        kind = "scripted"
        [engine.answers]
        {answers}
        """
    )
    return file


def comparable(reply: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in reply.items() if key not in MEASURED}


@pytest.mark.parametrize(("text", "code"), [(ASK, 0), ("hello", 3)])
def test_the_reply_is_the_one_of_a_gateway(tmp_path: Path, config: Path, text: str, code: int):
    here = pointsman("route", text, "--local", "--config", config, "--dispatch", "--json")
    assert here.code == code
    with gateway(settings(tmp_path / "gateway", support()), ANSWERS) as url:
        there = pointsman("route", text, "--dispatch", "--json", "--url", url)
    assert comparable(here.json) == comparable(there.json)


def test_a_server_that_cannot_be_used_ends_with_1(tmp_path: Path):
    config = written(tmp_path, "/no/such/command")
    ran = pointsman("route", ASK, "--local", "--config", config, "--json")
    assert ran.code == 1
    assert ran.json["code"] == "upstream_down"
    assert "server support cannot be used" in ran.err


def test_an_unknown_model_ends_with_1(config: Path):
    ran = pointsman("route", ASK, "--model", "sales", "--local", "--config", config)
    assert ran.code == 1
    assert "in service: support" in ran.complaint


def test_an_unknown_key_of_the_configuration_ends_with_2(tmp_path: Path):
    (tmp_path / "gateway.toml").write_text("sevrers = []")
    ran = pointsman("route", ASK, "--local", "--config", tmp_path / "gateway.toml")
    assert ran.code == 2
    assert "sevrers: unknown key" in ran.complaint
