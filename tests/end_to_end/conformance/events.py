"""Events of cut streams, kept in memory so that a client can take a stream up again."""

from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp.types import JSONRPCMessage


class KeptEvents(EventStore):
    """Every event of the process; an event's id is its place.

    The SDK names a stream by its request's id alone, so sessions at work at once could hear each
    other. The suites run one scenario after the other.
    """

    def __init__(self) -> None:
        self._events: list[tuple[str, JSONRPCMessage | None]] = []

    async def store_event(self, stream_id: str, message: JSONRPCMessage | None) -> str:
        """Keep an event; without a message it only marks the stream's beginning."""
        self._events.append((stream_id, message))
        return str(len(self._events))

    async def replay_events_after(
        self, last_event_id: str, send_callback: EventCallback
    ) -> str | None:
        """Send what its stream got after an event; the stream's id, None if nobody knows it."""
        if not last_event_id.isdecimal() or not 1 <= int(last_event_id) <= len(self._events):
            return None
        place = int(last_event_id)
        stream = self._events[place - 1][0]
        for number, (of, message) in enumerate(self._events[place:], place + 1):
            if of == stream and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream
