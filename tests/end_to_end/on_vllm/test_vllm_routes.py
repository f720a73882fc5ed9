"""Requests through the gateway and a real vLLM server."""

import httpx
import pytest

from tests.end_to_end.on_vllm.stack import Engine, Gateway

pytestmark = pytest.mark.vllm


def test_a_request_becomes_a_valid_call_and_is_dispatched(front: Gateway) -> None:
    reply = front.route("Where's my order ORD-1234?", dispatch=True)
    assert reply["call"] == {"tool": "track_order", "arguments": {"order_id": "ORD-1234"}}
    assert reply["model"].startswith("support@")
    assert "ORD-1234" in reply["results"][0]["content"][0]["text"]


def test_an_order_number_that_nobody_gave_is_not_called(front: Gateway) -> None:
    reply = front.route("Where is order 12?", dispatch=True)
    assert reply["outcome"] != "call"
    assert reply["results"] is None


def test_vllm_is_reached_by_the_gateway_on_loopback_alone(vllm: Engine) -> None:
    assert vllm.url.startswith("http://127.0.0.1:")
    assert httpx.get(f"{vllm.url}/health", trust_env=False).status_code == 200
