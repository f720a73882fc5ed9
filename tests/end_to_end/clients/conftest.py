"""One gateway on the embedded engine for all clients; `make test-clients` runs them."""

from collections.abc import Iterator

import pytest

from tests.end_to_end.clients.client_programs import Desk
from tests.end_to_end.on_vllm.stack import gateway, local_config

# One thread: the client wants the other processor, and threads that wait for each other do worse.
ENGINE = f"{local_config()}\nthreads = 1"


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """The order desk behind a gateway that serves the shipped adapter."""
    with gateway(tmp_path_factory.mktemp("gateway"), ENGINE) as front:
        yield Desk(front.url, tmp_path_factory.mktemp("home"))
