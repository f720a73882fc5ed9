"""The connection to a vLLM server, over real sockets: cancelled, timed out, cut, kept."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest

from gateway.engines.vllm_server import Patience, VllmServer
from gateway.errors import EngineDown

BODY = b'{"version": "0.32.0"}'
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(
    BODY
)


class Wire:
    """A server that answers `complete` requests, then lets them hang; it counts what it sees."""

    def __init__(self, complete: int, ending: Callable[[asyncio.StreamWriter], None]) -> None:
        self._left, self._ending = complete, ending
        self.connections = 0
        self.asked = asyncio.Event()
        self.gone = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = [line for line in head.lower().split(b"\r\n") if b"content-length" in line]
                await reader.readexactly(int(length[0].split(b":")[1]) if length else 0)
                if self._left:
                    self._left -= 1
                    writer.write(ANSWER + BODY)
                else:
                    self.asked.set()
                    self._ending(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.gone.set()
        finally:
            writer.close()


@asynccontextmanager
async def wired(
    complete: int = 0,
    ending: Callable[[asyncio.StreamWriter], None] = lambda _: None,
    patience: Patience | None = None,
) -> AsyncGenerator[tuple[VllmServer, Wire]]:
    wire = Wire(complete, ending)
    listener = await asyncio.start_server(wire.serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    server = VllmServer(f"http://127.0.0.1:{port}", patience=patience)
    try:
        yield server, wire
    finally:
        await server.close()
        listener.close()


async def test_a_cancelled_completion_closes_its_connection_which_is_how_vllm_stops_it() -> None:
    async with wired() as (server, wire):
        waiting = asyncio.create_task(server.complete({"prompt": [1, 2, 3]}))
        await wire.asked.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        async with asyncio.timeout(60):
            await wire.gone.wait()


async def test_a_server_that_hangs_is_left_after_the_time_for_an_answer() -> None:
    async with wired(patience=Patience(answer=0.05)) as (server, wire):
        with pytest.raises(EngineDown, match=r"did not answer in time \(ReadTimeout\)"):
            await server.complete({})
        async with asyncio.timeout(60):
            await wire.gone.wait()


async def test_a_server_that_dies_while_it_answers_is_down() -> None:
    def cut(writer: asyncio.StreamWriter) -> None:
        writer.write(ANSWER + BODY[:5])
        writer.close()

    async with wired(ending=cut) as (server, _):
        with pytest.raises(EngineDown, match="cannot be reached"):
            await server.complete({})


async def test_nobody_at_the_address_is_a_server_that_cannot_be_reached() -> None:
    async with wired() as (server, _):
        url = server.url
    with pytest.raises(EngineDown, match="cannot be reached"):
        await VllmServer(url).complete({})


async def test_a_password_in_the_address_is_not_told() -> None:
    server = VllmServer("http://me:hush-4711@127.0.0.1:1", patience=Patience(connect=0.05))
    with pytest.raises(EngineDown, match=r"vLLM at http://127\.0\.0\.1:1 ") as told:
        await server.complete({})
    assert "hush-4711" not in str(told.value)


async def test_connections_are_kept_between_requests() -> None:
    async with wired(complete=3) as (server, wire):
        for _ in range(3):
            await server.require_known_version()
        assert wire.connections == 1
