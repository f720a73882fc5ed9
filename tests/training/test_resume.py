"""A killed training loses nothing: the same command goes on, another one is refused."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

torch: Any = pytest.importorskip("torch")
pytest.importorskip("trl")

from safetensors.torch import load_file  # noqa: E402

from tests.training.tiny import ROOT, TOOLSET, write_base_model, write_rows  # noqa: E402
from training.checkpoints import last_whole  # noqa: E402

STEPS = 12

TRAIN = f"""
import json, logging, resource, sys
from pathlib import Path
from gateway.types import Toolset
from training.settings import Settings
from training.sft import train
folder, every, room = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
logging.basicConfig(level=logging.INFO, format="%(message)s")
if room:
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
toolset = Toolset.from_json(json.loads(Path({str(TOOLSET)!r}).read_text()))
settings = Settings(rank=8, learning_rate=1e-3, batch_size=4, epochs=1.0)
train(toolset, folder / "train.jsonl", folder / "validation.jsonl", folder / "base",
      folder / "run", settings, save_every_s=every)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_base_model(tmp_path / "base")
    write_rows(tmp_path / "train.jsonl", 0, STEPS * 4)
    write_rows(tmp_path / "validation.jsonl", STEPS * 4, STEPS * 4 + 8)
    return tmp_path


def started(folder: Path, every_s: float, room: int = 0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", TRAIN, str(folder), str(every_s), str(room)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT,
    )  # fmt: skip


def finished(folder: Path, every_s: float = 1e9, room: int = 0) -> tuple[int, str]:
    process = started(folder, every_s, room)
    told, _ = process.communicate(timeout=300)
    return process.returncode, told


def weights(folder: Path) -> dict[str, Any]:
    return load_file(folder / "run" / "adapter_model.safetensors")


def test_a_killed_training_goes_on_and_ends_where_an_undisturbed_one_does(folder: Path):
    process = started(folder, every_s=0)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(f"checkpoint at step 5 of {STEPS}"):
            os.kill(process.pid, signal.SIGKILL)
            break
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    assert not (folder / "run" / "settings.json").exists()

    # The kill may have come while the next checkpoint was written.
    (folder / "run/checkpoints/checkpoint-11").mkdir()
    (folder / "run/checkpoints/checkpoint-11/trainer_state.json").write_text('{"global')
    code, told = finished(folder)
    assert code == 0, told
    assert "checkpoint-11 was not written to its end" in told
    assert "checkpoint at step 1 " not in told
    record = json.loads((folder / "run" / "settings.json").read_text())
    assert record["log"][-1]["step"] == STEPS
    resumed = weights(folder)

    (folder / "run").rename(folder / "killed")
    code, told = finished(folder)
    assert code == 0, told
    for name, undisturbed in weights(folder).items():
        assert torch.allclose(resumed[name], undisturbed, atol=1e-3), name


def test_a_full_disk_ends_the_training_early_and_with_room_it_goes_on(folder: Path):
    code, told = finished(folder, room=10_000)
    assert code != 0
    assert "File too large" in told
    assert not (folder / "run" / "settings.json").exists()
    code, told = finished(folder)
    assert code == 0, told
    assert weights(folder)


def test_the_newest_whole_checkpoint_counts_and_broken_ones_are_removed(tmp_path: Path):
    for step, state in ((60, "{}"), (120, "{}"), (1000, '{"cut'), (180, None)):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if state is not None:
            (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text(state)
    assert last_whole(tmp_path) == tmp_path / "checkpoint-120"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-120", "checkpoint-60"]
    assert last_whole(tmp_path / "nowhere") is None
