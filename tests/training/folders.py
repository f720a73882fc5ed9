"""Folders that publishing reads: a finished run, and a base model with weights of a few bytes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.adapters import write_adapter

RECORDED = {"python": "3.11.7", "hardware": {"processor": "made for tests", "cores": 2}}


def run_folder(
    folder: Path,
    *,
    environment: Any = RECORDED,
    learned: Mapping[str, str] | None = None,
    **settings: Any,
) -> Path:
    """What `training.sft` leaves behind; keyword arguments add to its settings.

    `learned` is the toolset and the base model of the run; older runs did not say.
    """
    write_adapter(folder)
    record = {
        "settings": {"form": "name", "max_length": 512, "rank": 16, "seed": 7, **settings},
        "rows": {"train": 5},
        "tokens": {"train": 400},
        "data_digest": {"train": "ab"},
        "seconds": 12.5,
        "environment": environment,
        **(learned or {}),
    }
    (folder / "settings.json").write_text(json.dumps(record))
    return folder


def base_model(folder: Path, weights: bytes = b"\0\0\0\0") -> Path:
    """A folder with one tensor of four bytes."""
    folder.mkdir()
    header = json.dumps({"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    content = len(header).to_bytes(8, "little") + header + weights
    (folder / "model.safetensors").write_bytes(content)
    return folder
