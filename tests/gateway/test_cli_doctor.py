"""`doctor`: each check finds what is there and fails for what is not."""

import contextlib
import json
import sqlite3
import sys
from pathlib import Path
from typing import Any, Literal

import pytest

from gateway.commands.checks import packages
from gateway.commands.serving import bind
from gateway.config import EngineConfig
from gateway.weights import weights_digest
from tests.adapters import write_adapter
from tests.gateway.cli_gateway import ROOT, gateway, pointsman
from tests.gateway.engines.tokenizer_folder import PLAIN, write_tokenizer
from tests.gateway.serving import settings


def examined(tmp_path: Path, text: str, *options: object, **environ: str) -> dict[str, Any]:
    """The findings by check, for a configuration with this text."""
    (tmp_path / "gateway.toml").write_text(text)
    options = ("--config", tmp_path / "gateway.toml", "--port", 0, *options, "--json")
    ran = pointsman("doctor", *options, **environ)
    findings = {item["check"]: item for item in ran.json["checks"]}
    failed = any(item["state"] == "fail" for item in findings.values())
    assert ran.code == (1 if failed else 0)
    assert ran.json["ok"] is not failed
    return findings


def finding(findings: dict[str, Any], check: str) -> tuple[str, str]:
    return findings[check]["state"], findings[check]["detail"]


def base_model(folder: Path) -> Path:
    """A folder with one tensor of four bytes."""
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    header = json.dumps({"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    weights = len(header).to_bytes(8, "little") + header + b"\0\0\0\0"
    (folder / "model.safetensors").write_bytes(weights)
    return folder


def with_support(revision: int = 1, **more: str) -> str:
    lines = "\n".join(f"{key} = {value}" for key, value in more.items())
    return f"""
        {lines}
        adapters = [{{folder = "adapter"}}]
        [[servers]]
        name = "support"
        command = {json.dumps(sys.executable)}
        args = ["-m", "mcp_servers.support", "--revision", "{revision}"]
        cwd = {json.dumps(str(ROOT))}
    """


def test_an_installation_without_a_configuration_is_sound():
    ran = pointsman("doctor", "--port", 0)
    assert (ran.code, ran.err) == (0, "")
    for check in ("python", "packages", "packages local", "keys", "port", "records"):
        assert check in ran.out
    assert "mcp 2." in ran.out


def test_an_unreadable_configuration_fails(tmp_path: Path):
    state, detail = finding(examined(tmp_path, "sevrers = []"), "configuration")
    assert state == "fail"
    assert "sevrers: unknown key" in detail


def test_a_server_is_connected_to_and_its_tools_counted(tmp_path: Path):
    write_adapter(tmp_path / "adapter")
    findings = examined(tmp_path, with_support())
    assert finding(findings, "server support") == ("ok", "10 tools")
    state, detail = finding(findings, "adapter adapter")
    assert state == "ok"
    assert "drift on support: none" in detail


@pytest.mark.parametrize(("policy", "state"), [("mask", "fail"), ("warn", "note")])
def test_an_adapter_whose_tools_have_drifted_is_found(tmp_path: Path, policy: str, state: str):
    write_adapter(tmp_path / "adapter")
    text = with_support(2, drift_policy=json.dumps(policy))
    found, detail = finding(examined(tmp_path, text), "adapter adapter")
    assert found == state
    assert "drift on support: removed" in detail
    assert "exchange_item" in detail


def test_a_server_that_cannot_be_run_fails_and_leaves_drift_open(tmp_path: Path):
    write_adapter(tmp_path / "adapter")
    text = with_support().replace(sys.executable, "/no/such/command")
    findings = examined(tmp_path, text)
    assert finding(findings, "server support")[0] == "fail"
    state, detail = finding(findings, "adapter adapter")
    assert state == "note"
    assert "drift cannot be told" in detail


def test_a_folder_that_is_no_adapter_fails(tmp_path: Path):
    findings = examined(tmp_path, 'adapters = [{folder = "absent"}]')
    state, detail = finding(findings, "adapter absent")
    assert state == "fail"
    assert "not an adapter folder" in detail


def test_an_adapter_of_another_base_model_fails(tmp_path: Path):
    folder = base_model(tmp_path / "base")
    write_adapter(tmp_path / "adapter")
    text = 'adapters = [{folder = "adapter"}]\n[engine]\nkind = "local"\nbase_model = "base"'
    findings = examined(tmp_path, text)
    assert weights_digest(folder)[:8] in finding(findings, "base model")[1]
    state, detail = finding(findings, "adapter adapter")
    assert state == "fail"
    assert "belongs to base model tests" in detail


def test_an_adapter_of_the_configured_base_model_is_sound(tmp_path: Path):
    digest = weights_digest(base_model(tmp_path / "base"))
    spec = {"name": "tests", "weights_digest": digest}
    write_adapter(tmp_path / "adapter", base_model=spec)
    text = 'adapters = [{folder = "adapter"}]\n[engine]\nkind = "local"\nbase_model = "base"'
    findings = examined(tmp_path, text)
    assert finding(findings, "base model")[0] == "ok"
    assert "matches the base model" in finding(findings, "adapter adapter")[1]


def test_a_base_model_that_is_not_there_fails(tmp_path: Path):
    findings = examined(tmp_path, '[engine]\nkind = "local"\nbase_model = "absent"')
    assert finding(findings, "base model")[0] == "fail"


VLLM = '[engine]\nkind = "vllm"\nurl = "http://127.0.0.1:9"\nbase_model = "base"'


def test_for_vllm_a_tokenizer_is_enough(tmp_path: Path):
    write_tokenizer(tmp_path / "base")
    write_adapter(tmp_path / "adapter")
    findings = examined(tmp_path, 'adapters = [{folder = "adapter"}]\n' + VLLM)
    state, detail = finding(findings, "base model")
    assert state == "ok"
    assert "tokenizer and chat template" in detail
    assert finding(findings, "packages remote")[0] == "ok"
    assert "belongs to" not in finding(findings, "adapter adapter")[1]


@pytest.mark.parametrize(
    ("template", "files", "reason"),
    [(PLAIN, 0, "holds no tokenizer.json"), (None, 2, "holds no chat template")],
)
def test_for_vllm_a_base_model_without_tokenizer_or_template_fails(
    tmp_path: Path, template: str | None, files: int, reason: str
):
    folder = write_tokenizer(tmp_path / "base", template)
    for file in sorted(folder.iterdir())[files:]:
        file.unlink()
    state, detail = finding(examined(tmp_path, VLLM), "base model")
    assert state == "fail"
    assert reason in detail


def test_an_extra_is_needed_by_its_own_engine_alone():
    def states(kind: Literal["local", "vllm", "none"]) -> dict[str, str]:
        engine = EngineConfig(kind=kind, base_model=Path("base"), url="http://vllm")
        return {check.name: check.state for check in packages(engine, lambda _: None)}

    assert states("local")["packages local"] == states("vllm")["packages remote"] == "fail"
    assert states("local")["packages remote"] == states("vllm")["packages local"] == "note"
    assert states("none")["packages remote"] == states("none")["packages local"] == "note"


def test_a_port_in_use_fails():
    with contextlib.closing(bind("127.0.0.1", 0)) as taken:
        taken.listen()
        ran = pointsman("doctor", "--port", taken.getsockname()[1])
    assert ran.code == 1
    assert "in use" in ran.out


def test_a_running_gateway_on_the_port_is_no_failure(tmp_path: Path):
    with gateway(settings(tmp_path, adapter=False)) as url:
        ran = pointsman("doctor", "--port", url.rpartition(":")[2])
    assert ran.code == 0
    assert "a gateway is running there" in ran.out


@pytest.mark.parametrize("path", ["records.sqlite", "deep/down/records.sqlite"])
def test_records_that_can_be_written_are_not_made(tmp_path: Path, path: str):
    findings = examined(tmp_path, f'records = {{path = "{path}"}}')
    assert finding(findings, "records")[0] == "ok"
    assert not (tmp_path / path).exists()
    assert [file.name for file in tmp_path.iterdir()] == ["gateway.toml"]


def test_records_of_an_earlier_run_are_sound(tmp_path: Path):
    with contextlib.closing(sqlite3.connect(tmp_path / "records.sqlite")) as database:
        database.execute("CREATE TABLE calls (id TEXT)")
    findings = examined(tmp_path, 'records = {path = "records.sqlite"}')
    assert finding(findings, "records")[0] == "ok"


@pytest.mark.parametrize("path", ["gateway.toml", "gateway.toml/records.sqlite", "."])
def test_records_that_cannot_be_written_fail(tmp_path: Path, path: str):
    findings = examined(tmp_path, f'records = {{path = "{path}"}}')
    assert finding(findings, "records")[0] == "fail"


def test_keys_are_counted_and_not_shown(tmp_path: Path):
    keys = {"POINTSMAN_AGENT_KEYS": "secret-1,secret-2", "POINTSMAN_ADMIN_KEYS": "secret-3"}
    findings = examined(tmp_path, "", "--host", "0.0.0.0", **keys)
    assert finding(findings, "keys") == ("ok", "2 agent, 1 admin")


def test_no_keys_beyond_loopback_fail(tmp_path: Path):
    assert finding(examined(tmp_path, "", "--host", "0.0.0.0"), "keys")[0] == "fail"
    assert finding(examined(tmp_path, ""), "keys")[0] == "note"


def test_a_keys_file_that_cannot_be_read_fails(tmp_path: Path):
    assert finding(examined(tmp_path, '[auth]\nkeys_file = "absent"'), "keys")[0] == "fail"
