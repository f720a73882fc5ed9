"""The order desk as a process of its own: both transports, both eras, signals, arguments."""

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TextIO

import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.subscriptions import ToolsListChanged
from mcp.types import ToolListChangedNotification

from mcp_servers.support.__main__ import main

ROOT = Path(__file__).parents[2]
COMMAND = ("-m", "mcp_servers.support", "--today", "2026-11-02")
PATIENCE_S = 20

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


class Process:
    """A running server and what it has said on stderr."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.pid = process.pid

    async def said(self, pattern: str) -> re.Match[str]:
        """The first line from now on that matches."""
        assert self.process.stderr is not None
        async with asyncio.timeout(PATIENCE_S):
            while line := await self.process.stderr.readline():
                if match := re.search(pattern, line.decode()):
                    return match
        raise AssertionError(f"the server ended without a line like {pattern!r}")

    async def ended(self) -> int:
        """The exit code."""
        async with asyncio.timeout(PATIENCE_S):
            await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode


@asynccontextmanager
async def running(*arguments: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *COMMAND, *arguments),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Process(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


@asynccontextmanager
async def http_server() -> AsyncIterator[tuple[Process, str]]:
    async with running("--transport", "http", "--port", "0") as server:
        yield server, (await server.said(r"http://127\.0\.0\.1:\d+/mcp"))[0]


class Notices:
    """A message handler that remembers whether the list of tools was said to have changed."""

    def __init__(self) -> None:
        self.tools_changed = asyncio.Event()

    async def __call__(self, message: object) -> None:
        if isinstance(message, ToolListChangedNotification):
            self.tools_changed.set()


def stdio(stderr: TextIO):
    parameters = StdioServerParameters(command=sys.executable, args=list(COMMAND), cwd=ROOT)
    return stdio_client(parameters, errlog=stderr)


def pid_in(stderr: Path) -> int:
    match = re.search(r"pid (\d+)", stderr.read_text())
    assert match, stderr.read_text()
    return int(match[1])


async def expect_revision_2(client: Client) -> None:
    listed = await client.list_tools(cache_mode="refresh")
    names = {tool.name for tool in listed.tools}
    assert {"stock_level", "gift_wrap"} <= names
    assert not {"check_stock", "exchange_item"} & names
    with pytest.raises(MCPError, match="Unknown tool"):
        await client.call_tool("check_stock", {"sku": "SKU-MUG12"})
    assert not (await client.call_tool("stock_level", {"sku": "SKU-MUG12"})).is_error


async def expect_notice_in_the_handshake_era(client: Client, notices: Notices, pid: int) -> None:
    assert client.server_capabilities.tools is not None
    assert client.server_capabilities.tools.list_changed is True
    await client.call_tool("check_stock", {"sku": "SKU-MUG12"})
    os.kill(pid, signal.SIGHUP)
    async with asyncio.timeout(PATIENCE_S):
        await notices.tools_changed.wait()
    await expect_revision_2(client)


async def expect_notice_in_the_modern_era(client: Client, pid: int) -> None:
    assert client.server_capabilities.tools is not None
    assert client.server_capabilities.tools.list_changed is True
    async with client.listen(tools_list_changed=True) as changes, asyncio.timeout(PATIENCE_S):
        os.kill(pid, signal.SIGHUP)
        assert isinstance(await anext(changes), ToolsListChanged)
        await expect_revision_2(client)


async def test_stdio_tells_a_handshake_client_of_revision_2(tmp_path: Path):
    notices, stderr = Notices(), tmp_path / "stderr"
    with stderr.open("w") as log:
        async with Client(stdio(log), mode="legacy", message_handler=notices) as client:
            await expect_notice_in_the_handshake_era(client, notices, pid_in(stderr))


async def test_stdio_tells_a_modern_subscriber_of_revision_2(tmp_path: Path):
    stderr = tmp_path / "stderr"
    with stderr.open("w") as log:
        async with Client(stdio(log)) as client:
            assert client.protocol_version == "2026-07-28"
            await expect_notice_in_the_modern_era(client, pid_in(stderr))


async def test_http_tells_a_handshake_client_of_revision_2():
    notices = Notices()
    async with (
        http_server() as (server, url),
        Client(url, mode="legacy", message_handler=notices) as client,
    ):
        # Notifications ride the stream that the client opens after the handshake.
        await server.said(r"GET /mcp.* 200")
        await expect_notice_in_the_handshake_era(client, notices, server.pid)


async def test_http_tells_a_modern_subscriber_of_revision_2():
    async with http_server() as (server, url), Client(url) as client:
        assert client.protocol_version == "2026-07-28"
        await expect_notice_in_the_modern_era(client, server.pid)


async def test_http_serves_both_eras_at_once_from_one_desk():
    async with http_server() as (_, url), Client(url, mode="legacy") as old, Client(url) as new:
        await old.call_tool("cancel_order", {"order_id": "ORD-1235"})
        result = await new.call_tool("cancel_order", {"order_id": "ORD-1235"})
        assert result.structured_content["already_cancelled"] is True


async def test_a_second_sighup_changes_nothing():
    async with http_server() as (server, _):
        os.kill(server.pid, signal.SIGHUP)
        await server.said("now at revision 2")
        os.kill(server.pid, signal.SIGHUP)
        await server.said("already at revision 2")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_http_stops_cleanly_even_with_open_streams(number: int):
    async with http_server() as (server, url):
        async with Client(url) as client, client.listen(tools_list_changed=True) as changes:
            os.kill(server.pid, number)
            async with asyncio.timeout(PATIENCE_S):
                # The loop ends without SubscriptionLost: the server closed the stream on purpose.
                assert [change async for change in changes] == []
        assert await server.ended() == 0


async def test_http_stops_without_a_trace_while_a_handshake_client_listens():
    async with http_server() as (server, url), Client(url, mode="legacy"):
        await server.said(r"GET /mcp.* 200")
        os.kill(server.pid, signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_S):
            _, err = await server.process.communicate()
        assert server.process.returncode == 0
        assert b"Traceback" not in err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_stdio_stops_cleanly_while_the_client_is_silent(number: int):
    async with running() as server:
        await server.said("on stdio")
        os.kill(server.pid, number)
        async with asyncio.timeout(PATIENCE_S):
            assert await server.process.wait() == 0


async def test_stdio_ends_with_its_input_and_writes_nothing_but_protocol():
    async with running() as server:
        assert server.process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            out, err = await server.process.communicate(b"")
        assert (server.process.returncode, out) == (0, b"")
        assert b"Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--transport", "carrier-pigeon"), "invalid choice"),
        (("--port", "70000"), "is not a port"),
        (("--port", "-1"), "--port"),
        (("--revision", "3"), "invalid choice"),
        (("--today", "tomorrow"), "is not a date"),
        (("--today", "20261102"), "is not a date"),
        (("--colour", "blue"), "unrecognized arguments"),
    ],
)
def test_bad_arguments_are_explained(
    arguments: tuple[str, ...], complaint: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert complaint in capsys.readouterr().err


def test_a_database_that_cannot_be_opened_is_reported_without_a_trace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["--db", str(tmp_path / "absent" / "desk.sqlite")]) == 1
    assert "cannot open the database" in capsys.readouterr().err


async def test_a_taken_port_is_reported_without_a_trace():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        async with running("--transport", "http", "--port", port) as server:
            _, err = await server.process.communicate()
    assert server.process.returncode == 1
    assert f"cannot listen on port {port}" in err.decode()
    assert "Traceback" not in err.decode()
