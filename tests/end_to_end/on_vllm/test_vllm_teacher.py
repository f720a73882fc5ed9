"""`dataset generate` with vLLM as the teacher's endpoint.

A base model this small writes no row worth keeping by itself, so the server's structured output
gives the rows their form; what is tested is the way from end to end.
"""

import json
import subprocess
from pathlib import Path

import pytest

from tests.adapters import support_toolset
from tests.end_to_end.on_vllm.stack import BASE_MODEL, POINTSMAN, Engine
from training.rows import read_rows

pytestmark = pytest.mark.vllm
ROW = {
    "type": "object",
    "properties": {
        "request": {"type": "string", "minLength": 20, "maxLength": 120},
        "target": {
            "type": "object",
            "properties": {
                "tool": {"const": "no_tool"},
                "reason": {"type": "string", "minLength": 4, "maxLength": 40},
            },
            "required": ["tool", "reason"],
            "additionalProperties": False,
        },
    },
    "required": ["request", "target"],
    "additionalProperties": False,
}
# No "seed": vLLM 0.32.0 on a CPU ends when a request has one ("CPU Generator does not use offset").
BODY = {"structured_outputs": {"json": ROW}, "max_tokens": 200, "temperature": 0.8}


def test_a_teacher_served_by_vllm_fills_a_folder_with_rows(vllm: Engine, tmp_path: Path) -> None:
    toolset = tmp_path / "toolset.json"
    toolset.write_text(json.dumps(support_toolset().to_json()))
    out = tmp_path / "rows"
    done = subprocess.run(
        [
            str(POINTSMAN), "dataset", "generate", "--json", "--toolset", str(toolset),
            "--teacher", f"{vllm.url}/v1", "--model", BASE_MODEL.name, "--out", str(out),
            "--rows", "1", "--no-tool-share", "0.99", "--limit", "6", "--concurrency", "2",
            "--body", json.dumps(BODY),
        ],
        capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(done.stdout)
    assert summary["rows"] >= 1, done.stdout + done.stderr
    rows = read_rows(out / "rows.jsonl", support_toolset())
    assert len(rows) == summary["rows"]
    assert all(row.target["tool"] == "no_tool" for row in rows)
