"""A request's body that was read already, given to the application behind all the same."""

from starlette.types import Message, Receive


def replayed(body: bytes, receive: Receive) -> Receive:
    """A channel that gives the whole body once, and then what the client's own channel gives."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
