"""Events reach the operator's address signed, after retries if need be, and never twice for one."""

import hashlib
import hmac
import json
import logging
from collections.abc import Sequence

import httpx
import pytest

from gateway.settings import WebhookConfig
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
