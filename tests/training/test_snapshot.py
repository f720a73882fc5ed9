"""Snapshots: the chosen live tools, by content, in the order of the gateway's list."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.cli import build
from tests.adapters import support_toolset
from training.snapshot import list_live, select

DESK = support_toolset()
ROOT = Path(__file__).parents[2]


def listed() -> dict[str, Any]:
    """What `GET /v1/tools` answers with the order desk and a clock behind the gateway."""
    clock = {"name": "now", "inputSchema": {"type": "object"}, "server": "clock"}
    desk = [{**tool, "server": "desk"} for tool in DESK.to_json()["tools"]]
    return {
        "tools": [*desk, clock],
        "toolsets": [{"name": "support", "tools": ["cancel_order", "track_order"]}],
    }


def test_a_server_s_tools_make_a_toolset_of_its_name():
    taken = select(listed(), servers=["desk"])
    assert taken.name == "desk"
    assert taken.fingerprint == DESK.fingerprint


def test_a_configured_toolset_is_taken_by_name_in_the_order_of_the_list():
    taken = select(listed(), toolset="support")
    assert (taken.name, list(taken.by_name)) == ("support", ["track_order", "cancel_order"])


def test_tools_narrow_the_choice_and_a_name_can_be_given():
    taken = select(listed(), tools=["now", "track_order"], name="both")
    assert (taken.name, list(taken.by_name)) == ("both", ["track_order", "now"])


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"toolset": "desk2"}, "no toolset 'desk2' is live; there are support"),
        ({"servers": ["shop"]}, "no server shop is live; there are clock, desk"),
        ({"tools": ["trak"]}, "no tool trak is live"),
        ({}, "give the toolset a --name"),
        ({"servers": ["clock"], "tools": ["track_order"]}, "no live tool is in that selection"),
    ],
)
def test_what_is_not_live_or_not_clear_is_named(wanted: dict[str, Any], said: str):
    with pytest.raises(ValueError, match=said):
        select(listed(), **wanted)


async def test_servers_are_asked_without_a_gateway(tmp_path: Path):
    config = tmp_path / "desk.json"
    server = {"command": sys.executable, "args": ["-m", "mcp_servers.support"], "cwd": str(ROOT)}
    config.write_text(json.dumps({"mcpServers": {"desk": server}}))
    assert select(await list_live(config)).fingerprint == DESK.fingerprint


def test_the_command_writes_a_toolset_that_training_reads(tmp_path: Path):
    out = tmp_path / "toolset.json"
    arguments = ["--config", str(ROOT / "deploy/pointsman.toml"), "--toolset", "support"]
    ran = CliRunner().invoke(build(), ["dataset", "snapshot", *arguments, "--out", str(out)])
    assert ran.exit_code == 0, ran.output
    assert json.loads(out.read_text())["fingerprint"] == DESK.fingerprint


def test_without_a_gateway_the_command_says_what_to_start(tmp_path: Path):
    ran = CliRunner().invoke(
        build(), ["dataset", "snapshot", "--url", "http://127.0.0.1:9", "--out", str(tmp_path)]
    )
    assert ran.exit_code == 1
    assert "pointsman serve" in ran.output


def test_with_json_the_error_is_the_one_document_on_stdout(tmp_path: Path):
    given = ["--url", "http://127.0.0.1:9", "--out", str(tmp_path / "toolset.json"), "--json"]
    ran = CliRunner().invoke(build(), ["dataset", "snapshot", *given])
    assert ran.exit_code == 1
    assert json.loads(ran.stdout)["code"] == "unreachable"
    assert not (tmp_path / "toolset.json").exists()
