"""Requests through the gateway and a real vLLM server."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.end_to_end.on_vllm.stack import ROOT, Engine, Gateway, gateway, local_config

pytestmark = pytest.mark.vllm
ROWS = ROOT / "training" / "data" / "support" / "test" / "plain.jsonl"
N = 50
MAY_DIFFER = 2
"""Both engines compute in bfloat16, but sum in another order: where two tokens are about as likely,
they may write another one. More than this share of such requests would be another cause."""


def answer(reply: dict[str, Any]) -> object:
    """What was proposed, whatever a threshold made of it; the wording of a no_tool is no answer."""
    return reply["calls"] or reply["proposal"] or reply["outcome"]


def test_a_request_becomes_a_valid_call_and_is_dispatched(front: Gateway) -> None:
    reply = front.route("Where's my order ORD-1234?", dispatch=True)
    assert reply["call"] == {"tool": "track_order", "arguments": {"order_id": "ORD-1234"}}
    assert reply["model"].startswith("support@")
    assert "ORD-1234" in reply["results"][0]["content"][0]["text"]


def test_an_order_number_that_nobody_gave_is_not_called(front: Gateway) -> None:
    reply = front.route("Where is order 12?", dispatch=True)
    assert reply["outcome"] != "call"
    assert reply["results"] is None


def test_answers_are_those_of_the_embedded_engine(front: Gateway, tmp_path: Path) -> None:
    requests = [json.loads(line)["request"] for line in ROWS.read_text().splitlines()[:N]]
    assert len(requests) == N
    with gateway(tmp_path, local_config()) as embedded:
        pairs = [
            (text, embedded.route(text, threshold=0), front.route(text, threshold=0))
            for text in requests
        ]
    differ = [
        f"{text}\n  embedded {answer(here)}\n  vLLM     {answer(there)}"
        for text, here, there in pairs
        if answer(here) != answer(there)
    ]
    assert len(differ) <= MAY_DIFFER, "\n".join(differ)


def test_vllm_is_reached_by_the_gateway_on_loopback_alone(vllm: Engine) -> None:
    assert vllm.url.startswith("http://127.0.0.1:")
    assert httpx.get(f"{vllm.url}/health", trust_env=False).status_code == 200
