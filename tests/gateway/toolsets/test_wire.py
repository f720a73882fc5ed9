"""Which connection a request goes over, and that none is used when its server may close it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from gateway.toolsets.wire import WireTransport

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Site:
    """A server of one answer, that counts its connections and may hang up on them."""

    def __init__(self) -> None:
        self.opened: list[asyncio.StreamWriter] = []
        self.answered = 0
        self.closed = asyncio.Event()
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened.append(writer)
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                self.answered += 1
                writer.write(ANSWER)
        except asyncio.IncompleteReadError:
            self.closed.set()
        finally:
            writer.close()


@asynccontextmanager
async def site(**options: float) -> AsyncGenerator[tuple[Site, httpx2.AsyncClient]]:
    made = Site()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    transport = WireTransport(httpx2.AsyncHTTPTransport(), **options)
    async with (
        server,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{made.port}", transport=transport) as client,
    ):
        yield made, client


async def test_a_connection_is_kept_for_the_next_request() -> None:
    async with site() as (made, client):
        for _ in range(3):
            assert (await client.get("/")).content == b"ok"
        assert (len(made.opened), made.answered) == (1, 3)


async def test_one_that_was_idle_too_long_is_closed_and_not_used_again() -> None:
    async with site(keepalive_s=0.0) as (made, client):
        for _ in range(2):
            assert (await client.get("/")).content == b"ok"
        assert (len(made.opened), made.answered) == (2, 2)
        await asyncio.wait_for(made.closed.wait(), 10)


async def test_of_more_than_are_kept_the_one_idle_longest_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.toolsets.wire._MAX_IDLE", 2)
    async with site() as (made, client):
        await asyncio.gather(*(client.get("/") for _ in range(3)))
        assert len(made.opened) == 3
        await asyncio.wait_for(made.closed.wait(), 10)
        await asyncio.gather(*(client.get("/") for _ in range(2)))
        assert (len(made.opened), made.answered) == (3, 5)


async def test_a_request_whose_server_hangs_up_fails_and_is_not_sent_again() -> None:
    async with site() as (made, client):
        await client.get("/")
        transport: Any = made.opened[0].transport
        transport.pause_reading()
        asking = asyncio.create_task(client.get("/"))
        await asyncio.sleep(0)
        made.opened[0].close()
        with pytest.raises(httpx2.RemoteProtocolError, match="hung up before the answer"):
            await asking
        assert (len(made.opened), made.answered) == (1, 1)
