"""What the tests of the MCP face share."""

from typing import Any

import pytest


@pytest.fixture(params=["auto", "legacy"])
def mode(request: pytest.FixtureRequest) -> Any:
    """Both protocol eras of the agent's client."""
    return request.param
