"""Sends events to an address of the operator's: signed, retried, and never in anybody's way.

A body is one JSON object: the event's fields, an `id` that stays the same over retries, and a
`timestamp` in seconds since 1970. `X-Pointsman-Signature` is `sha256=` and the HMAC-SHA256 (hex) of
the body under the shared secret, so that nobody else can forge a warning; a receiver refuses old
timestamps, so that nobody can replay one.

Of several gateways over the same records one sends an event that is to go out once: whoever claims
it first. If that one fails after all its retries, or ends, another that has the same event to send
takes over; what was delivered is not sent again for a day. Knows no drift.
"""

import asyncio
import hashlib
import hmac
import json
import logging
import sqlite3
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import httpx

from gateway.records.claims import Claims
from gateway.settings.drift import WebhookConfig

logger = logging.getLogger(__name__)
SIGNATURE = "X-Pointsman-Signature"
_TIMEOUT_S = 10.0
_MAX_WAITING = 100
_ONCE_S = 86_400.0
_LOOK_S = 0.5
"""How often to look whether another gateway has delivered."""


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
        claims: Claims | None = None,
        look_s: float = _LOOK_S,
    ) -> None:
        """Without `claims` nobody else sends the same events."""
        self._config = config
        self._claims = claims
        self._look_s = look_s
        self._gateway = uuid.uuid4().hex
        self._elsewhere: set[str] = set()
        self._address = hashlib.sha256(config.url.encode()).hexdigest()[:16]
        self._clock = clock
        self._client = httpx.AsyncClient(transport=transport, timeout=_TIMEOUT_S)
        self._tasks: dict[asyncio.Task[None], Mapping[str, Any]] = {}

    def send(self, event: Mapping[str, Any], once: str | None = None) -> None:
        """Begin to deliver an event; returns at once. `once` names what is to be told once, however
        many gateways tell it."""
        if len(self._tasks) >= _MAX_WAITING:
            self._give_up(event, f"{_MAX_WAITING} events wait already")
            return
        value = {"id": uuid.uuid4().hex, "timestamp": round(self._clock(), 3), **event}
        task = asyncio.get_running_loop().create_task(self._send(value, once))
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
            if event["id"] not in self._elsewhere:
                self._give_up(event, "the gateway stops")
        await asyncio.gather(*waiting, return_exceptions=True)
        await self._client.aclose()

    async def _send(self, event: Mapping[str, Any], once: str | None) -> None:
        if once is None or self._claims is None:
            await self._deliver(event)
            return
        name = f"webhook {self._address} {event.get('event')} {once}"
        try:
            if not await self._is_ours(self._claims, name, event["id"]):
                return
        except sqlite3.Error as exc:  # told twice is better than never
            logger.warning("an event is sent without a claim to it: %s", exc)
            await self._deliver(event)
            return
        delivered = False
        try:
            delivered = await self._deliver(event)
        finally:
            with suppress(sqlite3.Error):
                if delivered:
                    await self._claims.settle(name, self._gateway, _ONCE_S)
                else:
                    await self._claims.let_go(name, self._gateway)

    async def _is_ours(self, claims: Claims, name: str, event_id: str) -> bool:
        """Wait until the event is this gateway's to send, or another has delivered it."""
        self._elsewhere.add(event_id)
        try:
            while True:
                claim = await claims.claim(name, self._gateway, self._longest_s)
                if claim.done or claim.holder == self._gateway:
                    return not claim.done
                await asyncio.sleep(self._look_s)
        finally:
            self._elsewhere.discard(event_id)

    @property
    def _longest_s(self) -> float:
        """How long a delivery with all its retries may take."""
        retries = self._config.retries
        return (retries + 1) * 2 * _TIMEOUT_S + self._config.backoff_s * 2**retries

    async def _deliver(self, event: Mapping[str, Any]) -> bool:
        """Whether the event arrived, after retries if need be."""
        body = json.dumps(event).encode()
        why = ""
        for attempt in range(self._config.retries + 1):
            if attempt:
                await asyncio.sleep(self._config.backoff_s * 2 ** (attempt - 1))
            why, again = await self._post(body)
            if not why:
                return True
            if not again:
                break
        self._give_up(event, why)
        return False

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
