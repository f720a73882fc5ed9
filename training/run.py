"""The folder of a training run: what it is made of, written before its first step, and its record.

`run.json` lets only the same run go on where one was killed. The record, `settings.json`, is
written last: it says that a run is finished and what it learned, and nothing else may be published
from it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.files import write_whole
from gateway.manifest import SHOWN_DIGITS, Manifest, ToolsetMode
from gateway.types import Toolset

FINISHED = "settings.json"
_BEGUN = "run.json"


class RunMismatch(ValueError):
    """The folder holds another run than the one that is meant; the message says what differs."""


def require_same_run(folder: Path, identity: Mapping[str, Any]) -> None:
    """Write down what a run is made of, or check that it is what the folder's run is made of.

    Raises:
        RunMismatch: another run was begun here.
        OSError: it cannot be written down.
    """
    file = folder / _BEGUN
    wanted = json.loads(json.dumps(identity))
    if not file.is_file():
        if (folder / FINISHED).is_file():
            raise RunMismatch(f"{folder} holds a finished run that does not say what it is made of")
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(file, json.dumps(wanted, indent=1))
        return
    begun = json.loads(file.read_text())
    other = sorted(key for key in {*begun, *wanted} if begun.get(key) != wanted.get(key))
    if other:
        told = "; ".join(f"{key} is {wanted.get(key)}, was {begun.get(key)}" for key in other)
        raise RunMismatch(f"{folder} holds another run, finish or remove it: {told}")


def finish(folder: Path, record: Mapping[str, Any]) -> None:
    """Write a run's record, which makes it a finished one. Raises OSError."""
    write_whole(folder / FINISHED, json.dumps(record, indent=1))


def read_record(folder: Path) -> dict[str, Any]:
    """The record of a finished run. Raises OSError if it is not finished."""
    return json.loads((folder / FINISHED).read_text())


def mode_of(record: Mapping[str, Any]) -> ToolsetMode:
    """Whether the run learned one toolset; runs before there was another mode do not say."""
    return record["settings"].get("toolset_mode", "exact")


def require_learned(folder: Path, toolset: Toolset, weights_digest: str) -> None:
    """Check that a finished run learned this toolset, on the base model of these weights.

    A `varied` run learned no one toolset. What an older run does not say is not checked.

    Raises:
        RunMismatch: it learned another toolset, or on another base model.
        OSError: the run is not finished.
    """
    record = read_record(folder)
    meant = {"base_model": weights_digest}
    if mode_of(record) == "exact":
        meant["toolset"] = toolset.fingerprint
    told = [
        f"{key} {record[key][:SHOWN_DIGITS]}, not {value[:SHOWN_DIGITS]}"
        for key, value in meant.items()
        if record.get(key, value) != value
    ]
    if told:
        raise RunMismatch(f"{folder} was trained on {', and on '.join(told)}")


def require_made_on(adapter: Path, weights_digest: str) -> None:
    """Check that an adapter to go on from was made on the base model of these weights.

    A run and a published folder say so themselves; a bare PEFT folder is not checked.

    Raises:
        RunMismatch: it was made on another base model.
        ValueError: what it says cannot be read.
    """
    made_on = ""
    if (adapter / FINISHED).is_file():
        made_on = read_record(adapter).get("base_model", "")
    elif (adapter / "manifest.json").is_file():
        manifest = Manifest.model_validate_json((adapter / "manifest.json").read_bytes())
        made_on = manifest.base_model.weights_digest
    if made_on and made_on != weights_digest:
        raise RunMismatch(
            f"{adapter} was made on base model {made_on[:SHOWN_DIGITS]}, "
            f"not {weights_digest[:SHOWN_DIGITS]}"
        )
