"""Where a run was made."""

import json

import pytest

pytest.importorskip("torch")

from importlib.metadata import version

from training.environment import environment


def test_processor_cores_threads_and_versions_are_told() -> None:
    found = environment()
    hardware = found["hardware"]
    assert hardware["processor"]
    assert hardware["cores"] >= 1
    assert hardware["threads"] >= 1
    assert isinstance(hardware["gpus"], list)
    assert found["torch"] == version("torch")
    assert found["pointsman"] == version("pointsman")
    json.dumps(found)
