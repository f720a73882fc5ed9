"""One vLLM server and one gateway for all tests of this folder; `make test-vllm` runs them."""

from collections.abc import Iterator

import pytest

from tests.bench.swap_adapters import Version, versions
from tests.end_to_end.on_vllm.stack import Engine, Gateway, engine, gateway, vllm_config


@pytest.fixture(scope="session")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """vLLM with the base model of the demo, under supervision."""
    with engine(tmp_path_factory.mktemp("engine"), "--max-rank", "16") as server:
        yield server


@pytest.fixture(scope="session")
def front(vllm: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway before it that serves the support adapter."""
    with gateway(tmp_path_factory.mktemp("gateway"), vllm_config(vllm.url)) as found:
        yield found


@pytest.fixture(scope="session")
def swapped(front: Gateway) -> dict[str, Version]:
    """The versions of the adapter `swap` in the gateway's store, under the gateway's names."""
    return {front.add(version.folder): version for version in versions()}
