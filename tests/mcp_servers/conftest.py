"""What all tests of the order desk stand on: a seeded desk in memory, and a call that answers."""

from collections.abc import Awaitable, Callable, Iterator
from datetime import date
from typing import Any

import pytest
from mcp import Client
from mcp.types import CallToolResult

from mcp_servers.support.desk import Desk, open_database
from mcp_servers.support.server import SupportServer

TODAY = date(2026, 11, 2)

Ask = Callable[..., Awaitable[CallToolResult]]


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk(open_database(None), lambda: TODAY)
    yield desk
    desk.close()


@pytest.fixture(params=["legacy", "2026-07-28"])
def mode(request: pytest.FixtureRequest) -> str:
    """Both protocol eras."""
    return request.param


def asking(desk: Desk, revision: Any) -> Ask:
    """A call of one tool through a client of its own."""

    async def ask(tool: str, **arguments: Any) -> CallToolResult:
        async with Client(SupportServer(desk, revision)) as client:
            return await client.call_tool(tool, arguments)

    return ask


@pytest.fixture
def ask(desk: Desk) -> Ask:
    return asking(desk, 1)


@pytest.fixture
def ask_revision_2(desk: Desk) -> Ask:
    return asking(desk, 2)
