"""Server-sent events, and work that ends when nobody waits for it any more."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Mapping
from contextlib import aclosing
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import StreamingResponse

from gateway.errors import PointsmanError
from gateway.faces.openai.errors import ClientGone, body_of

logger = logging.getLogger(__name__)

DONE = b"data: [DONE]\n\n"
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


def event_stream(
    objects: AsyncGenerator[Mapping[str, Any]], headers: Mapping[str, str]
) -> StreamingResponse:
    """A response of one event an object, closed by `[DONE]`.

    An error after the start is an event of its own, with which the stream ends.
    """
    return StreamingResponse(
        _events(objects),
        media_type="text/event-stream",
        headers={**headers, "Cache-Control": "no-cache"},
    )


async def _events(objects: AsyncGenerator[Mapping[str, Any]]) -> AsyncIterator[bytes]:
    async with aclosing(objects):
        try:
            async for value in objects:
                yield event(value)
        except Exception as exc:
            if not isinstance(exc, PointsmanError):
                logger.exception("a stream failed")
            yield event(body_of(exc))
            return
    yield DONE


def event(value: Mapping[str, Any]) -> bytes:
    """One event. ASCII alone, so that half a surrogate pair can be told back."""
    return b"data: " + json.dumps(value).encode("ascii") + b"\n\n"
