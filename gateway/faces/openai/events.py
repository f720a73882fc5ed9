"""Server-sent events, and work that ends when nobody waits for it any more."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping
from contextlib import aclosing
from typing import Any, TypeVar

from anyio import CancelScope
from fastapi import Request
from fastapi.responses import StreamingResponse

from gateway.errors import PointsmanError
from gateway.faces.openai.errors import ClientGone, body_of

logger = logging.getLogger(__name__)

DONE = b"data: [DONE]\n\n"
BEAT = b": still here\n\n"
BEAT_S = 15.0
Event = Mapping[str, Any]
_T = TypeVar("_T")


async def while_connected(request: Request, work: Coroutine[Any, Any, _T]) -> _T:
    """The work's result; when the client goes, the work is cancelled.

    Raises:
        ClientGone: it went. Whatever the work raises.
    """
    working = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((working, watching), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGone
        return working.result()
    finally:
        for task in (working, watching):
            task.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)


async def _gone(request: Request) -> None:
    # The body has been read, so the next message that is none of it says that the client went.
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _failed(exc: Exception) -> Iterable[Event]:
    return (body_of(exc),)


def event_stream(
    objects: AsyncGenerator[Event],
    headers: Mapping[str, str],
    *,
    failed: Callable[[Exception], Iterable[Event]] = _failed,
    end: bytes = DONE,
    beat_s: float = BEAT_S,
) -> StreamingResponse:
    """A response of one event an object, closed by `end`.

    An error after the start is told by the events that `failed` writes, with which the stream ends.
    After every `beat_s` seconds without an event comes a comment, which clients skip: it keeps
    whoever stands between from taking the connection for dead.
    """

    async def written() -> AsyncGenerator[bytes]:
        async with aclosing(_beating(objects, beat_s)) as beating:
            try:
                async for value in beating:
                    yield BEAT if value is None else event(value)
            except Exception as exc:
                if not isinstance(exc, PointsmanError):
                    logger.exception("a stream failed")
                for value in failed(exc):
                    yield event(value)
                return
        if end:
            yield end

    headers = {**headers, "Cache-Control": "no-cache"}
    return StreamingResponse(written(), media_type="text/event-stream", headers=headers)


async def _beating(objects: AsyncGenerator[Event], beat_s: float) -> AsyncGenerator[Event | None]:
    """The objects, and None after every `beat_s` seconds without one."""
    async with aclosing(objects):
        while True:
            coming = asyncio.ensure_future(anext(objects, None))
            try:
                while not (await asyncio.wait((coming,), timeout=beat_s))[0]:
                    yield None
            finally:
                coming.cancel()
                # A cancelled stream is cancelled at every wait; this one has to come to its end,
                # for what still runs cannot be closed.
                with CancelScope(shield=True):
                    await asyncio.gather(coming, return_exceptions=True)
            value = coming.result()
            if value is None:
                return
            yield value


def event(value: Event) -> bytes:
    """One event, named by its type if it has one. ASCII alone, so that half a surrogate pair can
    be told back."""
    name = f"event: {value['type']}\n" if "type" in value else ""
    return f"{name}data: {json.dumps(value)}\n\n".encode("ascii")
