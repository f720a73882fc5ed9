"""HTTP/1.1 to servers nearby, as a transport of the SDK's HTTP client.

A tool call through the gateway costs one request more than a direct one, and the general client's
own HTTP is a third of what that request costs. This one does plain `http` alone, over `httptools`,
the parser of our server; for `https` the general transport stays. A request is never sent twice.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httptools
import httpx2

from gateway.keepalive import KEEPALIVE_S

_Address = tuple[str, int]
_PAUSE_BYTES = 1_048_576
_MAX_HEAD_BYTES = 131_072
_MAX_IDLE = 100
_BODYLESS = (204, 304)


class WireTransport(httpx2.AsyncBaseTransport):
    """Plain requests over kept connections, all others through the general transport."""

    def __init__(
        self, general: httpx2.AsyncBaseTransport, keepalive_s: float = KEEPALIVE_S
    ) -> None:
        """A connection that was idle for `keepalive_s` seconds is not used again."""
        self._general = general
        self._keepalive_s = keepalive_s
        self._idle: dict[_Address, list[_Connection]] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request and give back its response, the body still to be read.

        Raises:
            httpx2.RequestError: no connection, no answer in time, or an answer cut short.
        """
        if request.url.scheme != "http":
            return await self._general.handle_async_request(request)
        limits = request.extensions.get("timeout") or {}
        address = (request.url.host, request.url.port or 80)
        connection = self._kept(address) or await _connect(address, request, limits.get("connect"))
        try:
            connection.send(request, limits.get("read"))
            await connection.head()
        except BaseException:
            connection.close()
            raise
        return httpx2.Response(
            connection.status, headers=connection.headers, stream=_Body(self, address, connection)
        )

    def keep(self, address: _Address, connection: "_Connection") -> None:
        """Take a connection back whose answer has been read whole."""
        idle = self._idle.setdefault(address, [])
        if not connection.reusable:
            connection.close()
            return
        connection.kept_at = asyncio.get_running_loop().time()
        idle.append(connection)
        if len(idle) > _MAX_IDLE:
            idle.pop(0).close()

    def _kept(self, address: _Address) -> "_Connection | None":
        idle = self._idle.get(address, ())
        oldest = asyncio.get_running_loop().time() - self._keepalive_s
        while idle:
            connection = idle.pop()
            if connection.reusable and connection.kept_at > oldest:
                return connection
            connection.close()
        return None

    async def aclose(self) -> None:
        """Close every connection."""
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._idle.clear()
        await self._general.aclose()


async def _connect(
    address: _Address, request: httpx2.Request, limit_s: float | None
) -> "_Connection":
    try:
        async with asyncio.timeout(limit_s):
            loop = asyncio.get_running_loop()
            _, connection = await loop.create_connection(_Connection, *address)
    except TimeoutError as exc:
        raise httpx2.ConnectTimeout("no connection in time", request=request) from exc
    except OSError as exc:
        raise httpx2.ConnectError(str(exc), request=request) from exc
    return connection


class _Connection(asyncio.Protocol):
    """One connection, with at most one request on it at a time."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.kept_at = 0.0
        self._transport: Any = None
        self._request: httpx2.Request | None = None
        self._limit_s: float | None = None
        self._begin()

    def _begin(self) -> None:
        self._parser: Any = httptools.HttpResponseParser(self)
        self.status, self.headers = 0, []
        self._head_bytes = 0
        self._headed = self._complete = self._keeps = self._paused = False
        self._chunks: list[bytes] = []
        self._buffered = 0
        self._failure: str | None = None
        self._waiting: asyncio.Future[None] | None = None

    @property
    def reusable(self) -> bool:
        """Whether another request may follow on it."""
        idle = self._complete and self._keeps
        return idle and self._failure is None and not self._transport.is_closing()

    def send(self, request: httpx2.Request, limit_s: float | None) -> None:
        """Write a request in one piece. `limit_s` bounds each wait for the server."""
        self._begin()
        self._request, self._limit_s = request, limit_s
        head = [b"%s %s HTTP/1.1" % (request.method.encode(), request.url.raw_path)]
        head += [b"%s: %s" % header for header in request.headers.raw]
        self._transport.write(b"\r\n".join(head) + b"\r\n\r\n" + request.content)

    async def head(self) -> None:
        """Wait for the status and the headers. Raises httpx2.RequestError."""
        while not self._headed:
            await self._more()

    async def chunk(self) -> bytes | None:
        """The next piece of the body, None after the last. Raises httpx2.RequestError."""
        while not self._chunks and not self._complete:
            await self._more()
        if not self._chunks:
            return None
        data = b"".join(self._chunks)
        self._chunks, self._buffered = [], 0
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        return data

    async def _more(self) -> None:
        if self._failure is not None:
            raise httpx2.RemoteProtocolError(self._failure, request=self._request)
        self._waiting = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._limit_s):
                await self._waiting
        except TimeoutError as exc:
            raise httpx2.ReadTimeout("no answer in time", request=self._request) from exc
        finally:
            self._waiting = None

    def close(self) -> None:
        """Hang up."""
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The loop has connected."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """The loop has read."""
        if self._request is None or self._complete:
            self._transport.close()  # nobody asked for this
            return
        if not self._headed:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as exc:
            self._fail(f"the answer is no HTTP: {exc}")
        if not self._headed and self._head_bytes > _MAX_HEAD_BYTES:
            self._fail("the headers of the answer are too large")
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended; that ends a body whose length nobody told."""
        if self._headed and not self._complete and exc is None and not self._is_framed():
            self._complete = True
        if not self._complete and self._failure is None:
            self._failure = "the server hung up before the answer was whole"
        self._wake()

    def on_header(self, name: bytes, value: bytes) -> None:
        """The parser has read a header."""
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The parser has read all headers; an interim answer is not yet the answer."""
        self.status = self._parser.get_status_code()
        if self.status >= 200:
            self._headed = True
        else:
            self.headers = []

    def on_body(self, body: bytes) -> None:
        """The parser has read a piece of the body."""
        self._chunks.append(body)
        self._buffered += len(body)
        if self._buffered > _PAUSE_BYTES and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """The parser has read the whole answer."""
        self._complete = self._headed
        self._keeps = self._parser.should_keep_alive()

    def _is_framed(self) -> bool:
        names = {name.lower() for name, _ in self.headers}
        return bool(names & {b"content-length", b"transfer-encoding"}) or self.status in _BODYLESS

    def _fail(self, reason: str) -> None:
        self._failure = reason
        self._transport.close()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class _Body(httpx2.AsyncByteStream):
    """The body of one answer; read whole, its connection is kept."""

    def __init__(
        self, transport: WireTransport, address: _Address, connection: _Connection
    ) -> None:
        self._transport = transport
        self._address = address
        self._connection: _Connection | None = connection

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self._connection is not None:
            data = await self._connection.chunk()
            if data is None:
                connection, self._connection = self._connection, None
                self._transport.keep(self._address, connection)
                return
            yield data

    async def aclose(self) -> None:
        """Hang up if the body was not read whole: to its server, that cancels the request."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
