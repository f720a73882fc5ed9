"""Adapter folders for tests: real files with real contents, no trained weights."""

import json
import struct
from pathlib import Path
from typing import Any

from gateway.manifest import Manifest
from gateway.types import Toolset

SUPPORT = Path(__file__).parents[1] / "mcp_servers" / "support" / "toolset.json"


def support_toolset() -> Toolset:
    """The order desk's toolset of revision 1."""
    return Toolset.from_json(json.loads(SUPPORT.read_text()))


def write_adapter(
    folder: Path, toolset: Toolset | None = None, *, rank: int = 16, **manifest: Any
) -> Path:
    """Write an adapter folder; keyword arguments replace members of the manifest."""
    toolset = toolset or support_toolset()
    folder.mkdir(parents=True, exist_ok=True)
    value: dict[str, Any] = {
        "name": toolset.name,
        "base_model": {"name": "tests", "weights_digest": "0" * 64},
        "toolset": toolset.name,
        "toolset_fingerprint": toolset.fingerprint,
        "calibration": {"scale": 1.0, "offset": 2.0, "threshold": 0.5},
        "created": "2026-11-21T00:00:00Z",
        **manifest,
    }
    Manifest.model_validate(value)
    header = json.dumps({"__metadata__": {"made": "for tests"}}).encode()
    weights = struct.pack("<Q", len(header)) + header
    (folder / "adapter_model.safetensors").write_bytes(weights)
    (folder / "adapter_config.json").write_text(json.dumps({"r": rank, "peft_type": "LORA"}))
    (folder / "manifest.json").write_text(json.dumps(value))
    (folder / "toolset.json").write_text(json.dumps(toolset.to_json()))
    (folder / "eval.jsonl").write_text("")
    (folder / "report.json").write_text("{}")
    return folder
