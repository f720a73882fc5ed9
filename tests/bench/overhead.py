"""What the gateway adds to vLLM's own time: the same prompt asked through it and directly.

The prompt is the one that the router makes, caught before an engine gets it, and posted to vLLM as
the engine would. Both ways are asked in turn, one request at a time, the order changing each time.

A completion takes seconds on a CPU, and twice the same one differs by more than the gateway can
add. So vLLM's own time is not estimated from another completion but read for each: its metrics sum
up how long each took, from its arrival to its last token. What a client waits beyond that is what
stands around vLLM; the gateway adds what stands around it more than around vLLM asked directly.
Whoever asks directly keeps connections to vLLM for as long as the gateway does.
"""

import asyncio
import re
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from gateway.engines.tokenizer import FolderTokenizer
from gateway.engines.vllm_completion import completion_body
from gateway.keepalive import KEEPALIVE_S
from gateway.manifest import read_adapter
from gateway.tokens import prompt_ids
from gateway.types import Message
from tests.bench.prompts import router_prompt
from tests.bench.swap_adapters import request

N = 60
_KEPT = httpx.Limits(keepalive_expiry=KEEPALIVE_S)
_OWN = re.compile(r"^vllm:e2e_request_latency_seconds_(sum|count)\{.*\} (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Taken:
    """How long one request took, in milliseconds: for its client, and for vLLM itself."""

    waited: float
    own: float
    answer: dict[str, Any]

    @property
    def around(self) -> float:
        """What the client waited for beside vLLM's work."""
        return self.waited - self.own


def added_ms(
    gateway_url: str, vllm_url: str, version: str, folder: Path, base_model: Path
) -> dict[str, float]:
    """Median times in milliseconds: vLLM asked directly, what the gateway adds to it, and, as a
    rough check of that, the difference of the two ways' whole times.

    Raises:
        AssertionError: the two ways did not cost the same tokens, or somebody else asked vLLM.
    """
    tokenizer, adapter = FolderTokenizer(base_model), read_adapter(folder)
    pairs: list[tuple[Taken, Taken]] = []
    with (
        httpx.Client(base_url=gateway_url, timeout=120, trust_env=False) as gateway,
        httpx.Client(base_url=vllm_url, timeout=120, trust_env=False, limits=_KEPT) as vllm,
        httpx.Client(base_url=vllm_url, trust_env=False) as metrics,
    ):
        for number in range(N):
            text = request(number)
            prompt = asyncio.run(router_prompt([Message("user", text)], adapter))
            ids = prompt_ids(tokenizer, prompt.messages, prompt.tools)
            body = completion_body(prompt, ids, version, tokenizer)
            ways = [
                (vllm, "/v1/completions", body),
                (gateway, "/v1/route", {"request": text, "model": version}),
            ]
            order = 1 if number % 2 else -1
            direct, routed = [_taken(metrics, *way) for way in ways[::order]][::order]
            _require_same_tokens(direct.answer, routed.answer)
            pairs.append((direct, routed))
    return {
        "direct_p50_ms": _median(direct.waited for direct, _ in pairs),
        "added_ms": _median(routed.around - direct.around for direct, routed in pairs),
        "difference_p50_ms": _median(routed.waited - direct.waited for direct, routed in pairs),
    }


def _median(values: Any) -> float:
    return round(statistics.median(values), 2)


def _taken(metrics: httpx.Client, client: httpx.Client, path: str, body: dict[str, Any]) -> Taken:
    own, count = _own_ms(metrics)
    started = time.perf_counter()
    answer = client.post(path, json=body)
    waited = (time.perf_counter() - started) * 1000
    answer.raise_for_status()
    then, counted = _own_ms(metrics)
    assert counted == count + 1, f"vLLM completed {counted - count:.0f} prompts instead of one"
    return Taken(waited, then - own, answer.json())


def _own_ms(metrics: httpx.Client) -> tuple[float, float]:
    """The milliseconds that vLLM took for all its completions so far, and their number."""
    found: dict[str, float] = {"sum": 0.0, "count": 0.0}
    for name, value in _OWN.findall(metrics.get("/metrics").raise_for_status().text):
        found[name] += float(value)
    return 1000 * found["sum"], found["count"]


def _require_same_tokens(direct: dict[str, Any], routed: dict[str, Any]) -> None:
    # vLLM counts the closing token, the gateway does not.
    theirs = (direct["usage"]["prompt_tokens"], direct["usage"]["completion_tokens"] - 1)
    ours = (routed["usage"]["prompt_tokens"], routed["usage"]["completion_tokens"])
    assert theirs == ours, f"vLLM took {theirs} tokens, through the gateway it took {ours}"
