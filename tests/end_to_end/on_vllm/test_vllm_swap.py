"""Versions take over from each other while clients ask."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.adapters import write_adapter
from tests.bench.swap import figures, swapping
from tests.bench.swap_adapters import Version, request
from tests.end_to_end.on_vllm.stack import Gateway

pytestmark = pytest.mark.vllm
SWAPS = 6


def copied(version: Version, folder: Path, **manifest: Any) -> Path:
    """A version's folder with other members in its manifest, and so another version."""
    shutil.copytree(version.folder, folder)
    file = folder / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | manifest))
    return folder


def test_under_load_no_request_fails_and_each_is_answered_by_the_version_it_names(
    front: Gateway, swapped: dict[str, Version]
) -> None:
    first = next(iter(swapped))
    assert front.activate(first).status_code == 200
    samples, swaps = asyncio.run(swapping(front.url, swapped, first, SWAPS, clients=8))
    found = figures(samples, swaps, swapped)
    assert (found["swaps"], found["failed"], found["misrouted"]) == (SWAPS, 0, 0), found
    assert {sample.tool for sample in samples} == {"track_order", "cancel_order"}


def test_an_adapter_that_fails_its_probe_is_refused_and_the_one_before_serves_on(
    front: Gateway, swapped: dict[str, Version], tmp_path_factory: pytest.TempPathFactory
) -> None:
    first = next(iter(swapped))
    assert front.activate(first).status_code == 200
    wrong = {"tool": "check_stock", "arguments": {"sku": "SKU-MUG12"}}
    folder = tmp_path_factory.mktemp("bad") / "adapter"
    probes = [{"request": request(0), "target": wrong}]
    version = front.add(copied(swapped[first], folder, probes=probes))
    refused = front.activate(version)
    assert refused.status_code == 409
    assert "step probe failed" in refused.json()["detail"]
    assert front.route(request(1), model="swap")["model"] == first


def test_an_adapter_that_vllm_cannot_load_is_refused_and_the_one_before_serves_on(
    front: Gateway, swapped: dict[str, Version], tmp_path_factory: pytest.TempPathFactory
) -> None:
    first = next(iter(swapped))
    assert front.activate(first).status_code == 200
    # Its rank is one that adapters may have, and more than this server was started for.
    folder = write_adapter(tmp_path_factory.mktemp("bad") / "adapter", rank=64, name="swap")
    refused = front.activate(front.add(folder))
    assert refused.status_code == 409
    assert "step load failed" in refused.json()["detail"]
    assert front.route(request(1), model="swap")["model"] == first
