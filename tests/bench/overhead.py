"""What the gateway adds to vLLM's own time: the same prompt asked through it and directly.

The prompt is the one that the router makes, caught before an engine gets it, and posted to vLLM as
the engine would. Both ways are asked in turn, one request at a time, so that whatever else the
machine does meets both. Each prompt is asked once before, so that both find it in vLLM's prefix
cache, and the order changes each time.
"""

import asyncio
import statistics
import time
from pathlib import Path
from typing import Any, cast

import httpx

from gateway.engines.base import Completion, Engine, Prompt
from gateway.engines.tokenizer import FolderTokenizer
from gateway.engines.vllm_completion import completion_body
from gateway.manifest import read_adapter
from gateway.router import Router
from gateway.tokens import prompt_ids
from gateway.types import Message
from tests.bench.swap_adapters import request

N = 60


class _Caught(Exception):
    def __init__(self, prompt: Prompt) -> None:
        self.prompt = prompt


class _Catcher:
    """An engine that answers nothing and gives its prompt back."""

    async def complete(self, prompt: Prompt) -> Completion:
        raise _Caught(prompt)


def added_ms(
    gateway_url: str, vllm_url: str, version: str, folder: Path, base_model: Path
) -> dict[str, float]:
    """Median times in milliseconds: vLLM asked directly, and what the gateway adds to it.

    Raises:
        AssertionError: the two ways did not cost the same tokens.
    """
    tokenizer, router = FolderTokenizer(base_model), Router(cast(Engine, _Catcher()))
    adapter = read_adapter(folder)
    direct: list[float] = []
    added: list[float] = []
    with (
        httpx.Client(base_url=gateway_url, timeout=120, trust_env=False) as gateway,
        httpx.Client(base_url=vllm_url, timeout=120, trust_env=False) as vllm,
    ):
        for number in range(N):
            text = request(number)
            try:
                asyncio.run(router.route([Message("user", text)], adapter))
            except _Caught as exc:
                prompt = exc.prompt
            ids = prompt_ids(tokenizer, prompt.messages, prompt.tools)
            ways = [
                (
                    "direct",
                    vllm,
                    "/v1/completions",
                    completion_body(prompt, ids, version, tokenizer),
                ),
                ("gateway", gateway, "/v1/route", {"request": text, "model": version}),
            ]
            _timed(*ways[0][1:])
            found = {name: _timed(*way) for name, *way in ways[:: 1 if number % 2 else -1]}
            _require_same_tokens(found["direct"][1], found["gateway"][1])
            direct.append(found["direct"][0])
            added.append(found["gateway"][0] - found["direct"][0])
    return {
        "direct_p50_ms": round(statistics.median(direct), 2),
        "added_ms": round(statistics.median(added), 2),
    }


def _timed(client: httpx.Client, path: str, body: dict[str, Any]) -> tuple[float, dict[str, Any]]:
    started = time.perf_counter()
    answer = client.post(path, json=body)
    taken = (time.perf_counter() - started) * 1000
    answer.raise_for_status()
    return taken, answer.json()


def _require_same_tokens(direct: dict[str, Any], routed: dict[str, Any]) -> None:
    # vLLM counts the closing token, the gateway does not.
    theirs = (direct["usage"]["prompt_tokens"], direct["usage"]["completion_tokens"] - 1)
    ours = (routed["usage"]["prompt_tokens"], routed["usage"]["completion_tokens"])
    assert theirs == ours, f"vLLM took {theirs} tokens, through the gateway it took {ours}"
