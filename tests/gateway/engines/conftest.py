"""One vLLM double with a base model folder, and an engine that is connected to it."""

from pathlib import Path

import pytest

from gateway.engines.vllm import VllmEngine
from tests.adapters import write_adapter
from tests.gateway.engines.tokenizer_folder import write_tokenizer
from tests.gateway.engines.vllm_double import VllmDouble


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A base model's folder without weights."""
    return write_tokenizer(tmp_path / "base")


@pytest.fixture
def vllm(folder: Path) -> VllmDouble:
    """A server of that base model."""
    return VllmDouble(folder)


@pytest.fixture
def one(folder: Path) -> VllmDouble:
    """One of two servers of that base model."""
    return VllmDouble(folder, "one")


@pytest.fixture
def two(folder: Path) -> VllmDouble:
    """The other one."""
    return VllmDouble(folder, "two")


@pytest.fixture
async def engine(vllm: VllmDouble, folder: Path) -> VllmEngine:
    """An engine that has proved the server; what it asked for that is forgotten."""
    made = vllm.engine(folder)
    await made.start()
    vllm.asked.clear()
    return made


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """The folder of an adapter."""
    return write_adapter(tmp_path / "store" / "support@1")
