"""Checkpoints by the clock, and going on from the last whole one.

A training may be killed at any moment, also while it writes a checkpoint. One is whole if its
`trainer_state.json` can be read, which the trainer writes last; others are thrown away. Whether
it is the same run that goes on stands in `run.py`.
"""

import json
import logging
import shutil
import time
from pathlib import Path
from typing import Any, cast

from transformers import TrainerCallback

SAVE_EVERY_S = 240.0
_LAST_WRITTEN = "trainer_state.json"
_SPENT = "seconds.json"

logger = logging.getLogger(__name__)


class ClockedCheckpoints(TrainerCallback):
    """Asks for a checkpoint after the first step and then every `every_s` seconds.

    The first one proves early that there is room for it. Each says how many seconds of training
    stand behind it, those before a kill included.
    """

    def __init__(self, every_s: float, spent_s: float) -> None:
        self._every_s = every_s
        self._spent_s = spent_s
        self._saved_at: float | None = None
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds of training so far, over all processes of the run."""
        return self._spent_s + time.monotonic() - self._started

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the clock."""
        self._started = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Ask for a checkpoint if it is time."""
        now = time.monotonic()
        if self._saved_at is None or now - self._saved_at >= self._every_s:
            self._saved_at = now
            control.should_save = True

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Note the time spent beside the checkpoint, and say that it is there."""
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        (folder / _SPENT).write_text(json.dumps(round(self.seconds, 1)))
        logger.info("checkpoint at step %d of %d", state.global_step, state.max_steps)


def last_whole(folder: Path) -> Path | None:
    """The newest checkpoint that was written to its end; broken ones are removed."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    for path in reversed(found):
        try:
            json.loads((path / _LAST_WRITTEN).read_text())
        except (OSError, ValueError):
            logger.warning("%s was not written to its end and is thrown away", path)
            shutil.rmtree(path)
        else:
            return path
    return None


def seconds_spent(checkpoint: Path | None) -> float:
    """Seconds of training behind a checkpoint; 0 without one, or where it does not say."""
    try:
        return float(json.loads((cast(Path, checkpoint) / _SPENT).read_text()))
    except (TypeError, OSError, ValueError):
        return 0.0
