"""Where a run was made: processor, cores, threads and GPUs, and the versions of the libraries."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

_LIBRARIES = (
    "pointsman", "torch", "transformers", "tokenizers", "peft", "trl", "datasets", "accelerate",
    "llguidance", "mcp",
)  # fmt: skip


def environment() -> dict[str, Any]:
    """This machine and what is installed on it; `hardware.threads` are those torch computes with.

    `hardware.gpus` names every GPU that torch may use, an empty list on a processor alone.
    """
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "hardware": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "gpus": [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())],
        },
        **_versions(),
    }


def _processor() -> str:
    """The processor's name, which Linux tells in a file and `platform` elsewhere."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(names), "") or platform.processor() or platform.machine()


def _versions() -> dict[str, str]:
    found: dict[str, str] = {}
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found
