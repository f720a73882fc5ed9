"""Events reach the operator's address signed, after retries if need be, and never twice for one."""

import asyncio
import hashlib
import hmac
import json
import logging
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
import pytest

from gateway.records import Records
from gateway.settings.drift import WebhookConfig
from gateway.webhook import SIGNATURE, Webhook

SECRET = "a secret of sixteen or more"
EVENT = {"event": "toolset_drift", "adapter": "support@12345678"}


class Receiver(httpx.AsyncBaseTransport):
    """Answers with one status after another, the last one again and again; 0 refuses to connect."""

    def __init__(self, statuses: Sequence[int]) -> None:
        self.statuses = list(statuses)
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if status == 0:
            raise httpx.ConnectError("refused")
        return httpx.Response(status)


def hook(url: str = "http://receiver.example/hook?key=hidden") -> WebhookConfig:
    return WebhookConfig.model_validate({"url": url, "secret": SECRET, "backoff_s": 0})


async def sent(*statuses: int) -> list[httpx.Request]:
    receiver = Receiver(statuses)
    webhook = Webhook(hook(), receiver, clock=lambda: 1_700_000_000.5)
    webhook.send(EVENT)
    await webhook.settled()
    await webhook.close()
    return receiver.requests


async def test_an_event_is_sent_once_with_a_signature_over_the_body_and_its_time() -> None:
    (request,) = await sent(204)
    body = json.loads(request.content)
    assert {key: body[key] for key in EVENT} == EVENT
    assert body["timestamp"] == 1_700_000_000.5
    wanted = hmac.new(SECRET.encode(), request.content, hashlib.sha256).hexdigest()
    assert request.headers[SIGNATURE] == f"sha256={wanted}"


@pytest.mark.parametrize("failure", [0, 429, 500, 503])
async def test_what_may_pass_is_tried_again_with_the_same_event(failure: int) -> None:
    requests = await sent(failure, failure, 200)
    assert len(requests) == 3
    assert len({request.content for request in requests}) == 1


async def test_after_three_retries_the_failure_is_logged_once_without_the_urls_secret(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "gateway")
    assert len(await sent(0)) == 4
    (record,) = [r for r in caplog.records if getattr(r, "event", "") == "webhook_failed"]
    assert record.levelno == logging.ERROR
    assert "receiver.example" in record.getMessage()
    assert "hidden" not in record.getMessage()


async def test_an_event_that_is_under_way_when_the_gateway_stops_is_said_to_be_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    webhook = Webhook(hook(), Receiver([0]))
    webhook.send(EVENT)
    await webhook.close()
    (record,) = [r for r in caplog.records if getattr(r, "event", "") == "webhook_failed"]
    assert "toolset_drift: the gateway stops" in record.getMessage()


async def test_an_address_that_is_none_is_said_so_and_not_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    webhook = Webhook(hook(url="http://receiver.example/hidden\x07"))
    webhook.send(EVENT)
    await webhook.settled()
    await webhook.close()
    (record,) = [r for r in caplog.records if getattr(r, "event", "") == "webhook_failed"]
    assert "its URL cannot be used" in record.getMessage()
    assert "hidden" not in record.getMessage()


@pytest.mark.parametrize("refusal", [301, 400, 401, 404])
async def test_what_will_not_pass_is_not_tried_again(refusal: int) -> None:
    assert len(await sent(refusal)) == 1


@pytest.fixture
async def shared(tmp_path: Path) -> AsyncIterator[tuple[Records, Records]]:
    """The same records, as two gateways have them open."""
    both = Records(str(tmp_path / "records.sqlite")), Records(str(tmp_path / "records.sqlite"))
    for records in both:
        await records.open()
    yield both
    for records in both:
        await records.close()


class Hesitant(Receiver):
    """Answers only once it is told to."""

    def __init__(self, statuses: Sequence[int]) -> None:
        super().__init__(statuses)
        self.asked, self.answer = asyncio.Event(), asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.set()
        await self.answer.wait()
        return await super().handle_async_request(request)


async def begun(
    shared: tuple[Records, Records], first: Sequence[int]
) -> tuple[Webhook, Hesitant, Webhook, Receiver]:
    """Two gateways with the same event to send; the first one has begun."""
    slow, quick = Hesitant(first), Receiver([204])
    one, other = (
        Webhook(hook(), receiver, claims=records, look_s=0.001)
        for receiver, records in zip((slow, quick), shared, strict=True)
    )
    one.send(EVENT, "drift")
    await slow.asked.wait()
    other.send(EVENT, "drift")
    return one, slow, other, quick


async def test_what_another_gateway_delivers_is_not_sent_twice(
    shared: tuple[Records, Records],
) -> None:
    one, slow, other, quick = await begun(shared, [204])
    slow.answer.set()
    for webhook in (one, other):
        await webhook.settled()
    assert (len(slow.requests), len(quick.requests)) == (1, 0)
    other.send(EVENT, "drift")
    other.send(EVENT, "another drift")
    other.send(EVENT)
    await other.settled()
    assert len(quick.requests) == 2
    for webhook in (one, other):
        await webhook.close()


async def test_what_another_gateway_failed_to_deliver_is_taken_over_after_its_retries(
    shared: tuple[Records, Records],
) -> None:
    one, slow, other, quick = await begun(shared, [503])
    slow.answer.set()
    for webhook in (one, other):
        await webhook.settled()
        await webhook.close()
    assert (len(slow.requests), len(quick.requests)) == (4, 1)


async def test_what_a_gateway_that_stops_was_sending_is_taken_over(
    shared: tuple[Records, Records],
) -> None:
    one, slow, other, quick = await begun(shared, [204])
    await one.close()
    await other.settled()
    await other.close()
    assert (len(slow.requests), len(quick.requests)) == (0, 1)


async def test_a_gateway_that_only_waited_says_nothing_is_lost_when_it_stops(
    shared: tuple[Records, Records], caplog: pytest.LogCaptureFixture
) -> None:
    one, slow, other, _ = await begun(shared, [204])
    await shared[1].claim("a", "b", 1)  # the same thread has claimed for `other` by then
    await other.close()
    assert "did not get" not in caplog.text
    slow.answer.set()
    await one.settled()
    await one.close()


async def test_an_event_goes_out_where_the_records_cannot_be_used() -> None:
    receiver = Receiver([204])
    webhook = Webhook(hook(), receiver, claims=Records())  # not open
    webhook.send(EVENT, "drift")
    await webhook.settled()
    await webhook.close()
    assert len(receiver.requests) == 1
