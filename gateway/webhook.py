"""Sends events to an address of the operator's: signed, retried, and never in anybody's way.

A body is one JSON object: the event's fields, an `id` that stays the same over retries, and a
`timestamp` in seconds since 1970. `X-Pointsman-Signature` is `sha256=` and the HMAC-SHA256 (hex) of
the body under the shared secret, so that nobody else can forge a warning; a receiver refuses old
timestamps, so that nobody can replay one. Knows no drift.
"""

import asyncio
import hashlib
import hmac
import json
import logging
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from gateway.settings import WebhookConfig

logger = logging.getLogger(__name__)
SIGNATURE = "X-Pointsman-Signature"
_TIMEOUT_S = 10.0
_MAX_WAITING = 100


def signature(secret: str, body: bytes) -> str:
    """The value of `X-Pointsman-Signature` for a body."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class Webhook:
    """Delivers events, each in a task of its own."""

    def __init__(
        self,
        config: WebhookConfig,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._clock = clock
        self._client = httpx.AsyncClient(transport=transport, timeout=_TIMEOUT_S)
        self._tasks: dict[asyncio.Task[None], Mapping[str, Any]] = {}

    def send(self, event: Mapping[str, Any]) -> None:
        """Begin to deliver an event; returns at once."""
        if len(self._tasks) >= _MAX_WAITING:
            self._give_up(event, f"{_MAX_WAITING} events wait already")
            return
        value = {"id": uuid.uuid4().hex, "timestamp": round(self._clock(), 3), **event}
        task = asyncio.get_running_loop().create_task(self._deliver(value))
        self._tasks[task] = value
        task.add_done_callback(lambda done: self._tasks.pop(done, None))

    async def settled(self) -> None:
        """Wait until every event is delivered or given up."""
        while self._tasks:
            await asyncio.wait(tuple(self._tasks))

    async def close(self) -> None:
        """Give up what is under way, and close the connections; idempotent."""
        waiting = dict(self._tasks)
        for task, event in waiting.items():
            task.cancel()
            self._give_up(event, "the gateway stops")
        await asyncio.gather(*waiting, return_exceptions=True)
        await self._client.aclose()

    async def _deliver(self, event: Mapping[str, Any]) -> None:
        body = json.dumps(event).encode()
        why = ""
        for attempt in range(self._config.retries + 1):
            if attempt:
                await asyncio.sleep(self._config.backoff_s * 2 ** (attempt - 1))
            why, again = await self._post(body)
            if not why:
                return
            if not again:
                break
        self._give_up(event, why)

    async def _post(self, body: bytes) -> tuple[str, bool]:
        """What went wrong, empty if nothing did, and whether another attempt may help."""
        headers = {
            "content-type": "application/json",
            SIGNATURE: signature(self._config.secret.get_secret_value(), body),
        }
        try:
            answer = await self._client.post(self._config.url, content=body, headers=headers)
        except httpx.HTTPError as exc:
            return type(exc).__name__, True
        except httpx.InvalidURL:
            return "its URL cannot be used", False
        if answer.is_success:
            return "", False
        code = answer.status_code
        return f"it answered {code}", code in (408, 425, 429) or code >= 500

    def _give_up(self, event: Mapping[str, Any], why: str) -> None:
        host = urlsplit(self._config.url).hostname  # the rest of a URL may hold a secret
        logger.error(
            "the webhook at %s did not get the event %s: %s", host, event.get("event"), why,
            extra={"event": "webhook_failed", "host": host, "reason": why},
        )  # fmt: skip
