"""The conversations that agents go on with by `previous_response_id`, for a while."""

import json
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from gateway.errors import NotFound

_MAX_CHARS = 67_108_864


class Conversations:
    """Response id -> every item up to and with that response. In memory; the oldest go first."""

    def __init__(self, max_chars: int = _MAX_CHARS) -> None:
        """`max_chars` bounds all conversations together, as JSON."""
        self._max_chars = max_chars
        self._chars = 0
        self._kept: OrderedDict[str, tuple[Sequence[dict[str, Any]], int]] = OrderedDict()

    def keep(self, response_id: str, items: Sequence[dict[str, Any]]) -> None:
        """Keep a conversation under the id of its newest response."""
        size = len(json.dumps(items))
        self._kept[response_id] = items, size
        self._chars += size
        while self._chars > self._max_chars:
            self._chars -= self._kept.popitem(last=False)[1][1]

    def get(self, response_id: str) -> Sequence[dict[str, Any]]:
        """A conversation. Raises NotFound."""
        if response_id not in self._kept:
            raise NotFound(f"response {response_id!r} is not kept, or no longer")
        return self._kept[response_id][0]
