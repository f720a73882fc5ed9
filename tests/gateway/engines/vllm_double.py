"""A double of one vLLM 0.32 server behind `httpx.MockTransport`.

Paths, statuses and bodies are those of vLLM's source. It tokenizes and follows grammars for real;
only the model is played: it writes what it is told to, as far as the grammar allows.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import llguidance
import llguidance.numpy
import numpy as np

from gateway.engines.tokenizer import FolderTokenizer
from gateway.engines.vllm import VllmEngine
from gateway.engines.vllm_server import Patience

BASE = "/models/base"
QUICK = Patience(connect=0.05, load=0.05, answer=0.05, look=0.0)
Matcher = llguidance.LLMatcher


class VllmDouble:
    """What a test may set: `wants`, the text the model writes; `instead`, what a path answers
    or raises instead; `hangs`, paths that never answer."""

    def __init__(self, folder: Path, name: str = "vllm", *, context: int = 2048) -> None:
        self.url = f"http://{name}:8000"
        self.base = BASE
        self._killed = asyncio.Event()
        self.tokenizer = FolderTokenizer(folder)
        self._grammars = llguidance.LLTokenizer(
            (folder / "tokenizer.json").read_text(), eos_token=self.tokenizer.eos_token_id
        )
        self.context = context
        self.version = "0.32.0+cpu"
        self.api_key: str | None = None
        self.backend = "guidance"
        self.raw_logprobs = False
        self.runtime_updating = True
        self.wants = ""
        self.adapters: dict[str, str] = {}
        self.lost: set[str] = set()
        self.instead: dict[str, httpx.Response | Exception] = {}
        self.hangs: set[str] = set()
        self.cancelled: list[str] = []
        self.asked: list[tuple[str, Any]] = []

    def engine(self, folder: Path, patience: Patience | None = None, **options: Any) -> VllmEngine:
        """An engine that is connected to this server."""
        transport = httpx.MockTransport(lambda request: self.handle(request))
        return VllmEngine(self.url, folder, transport=transport, patience=patience, **options)

    def kill(self) -> None:
        """Die: what hangs is cut off, and nobody is there any more."""
        self._killed.set()

    def cut(self) -> None:
        """Cut off what hangs, and live on."""
        self._killed.set()
        self._killed = asyncio.Event()

    def restart(self) -> None:
        """Be there again, without any adapter."""
        self._killed = asyncio.Event()
        self.adapters.clear()

    def bodies(self, path: str) -> list[Any]:
        """What was posted to a path."""
        return [body for asked, body in self.asked if asked == path]

    async def handle(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        path = request.url.path
        body = json.loads(request.content) if request.content else None
        await asyncio.sleep(0)  # as over any network, others ask meanwhile
        if self._killed.is_set():
            raise httpx.ConnectError("connection refused")
        self.asked.append((path, body))
        if path in self.hangs:
            try:
                async with asyncio.timeout(request.extensions["timeout"]["read"]):
                    await self._killed.wait()
            except TimeoutError as exc:
                raise httpx.ReadTimeout("") from exc
            except asyncio.CancelledError:
                self.cancelled.append(path)
                raise
            raise httpx.ReadError("connection reset")
        if (given := self.instead.get(path)) is not None:
            if isinstance(given, Exception):
                raise given
            return given
        wanted = f"Bearer {self.api_key}"
        if (
            self.api_key
            and path.startswith("/v1")
            and request.headers.get("authorization") != wanted
        ):
            return httpx.Response(401, json={"error": "Unauthorized"})
        return self._route(path, body)

    def _route(self, path: str, body: Any) -> httpx.Response:
        if path == "/health":
            return httpx.Response(200)
        if path == "/version":
            return httpx.Response(200, json={"version": self.version})
        if path == "/v1/models":
            return httpx.Response(200, json={"object": "list", "data": self._cards()})
        if path == "/tokenize":
            return self._tokenize(body)
        if path == "/v1/completions":
            return self._complete(body)
        if path == "/v1/load_lora_adapter" and self.runtime_updating:
            return self._load(body)
        if path == "/v1/unload_lora_adapter" and self.runtime_updating:
            if self.adapters.pop(body["lora_name"], None) is None:
                return error(404, "The lora adapter cannot be found.", "NotFoundError")
            return httpx.Response(200, text="Success")
        return httpx.Response(404, json={"detail": "Not Found"})

    def _cards(self) -> list[dict[str, Any]]:
        base = {"id": self.base, "root": self.base, "parent": None, "max_model_len": self.context}
        return [base] + [
            {"id": name, "root": root, "parent": self.base, "max_model_len": None}
            for name, root in self.adapters.items()
        ]

    def _tokenize(self, body: Any) -> httpx.Response:
        if "prompt" in body:
            text = body["prompt"]
        else:
            shown = body.get("chat_template_kwargs") or {}
            text = self.tokenizer.apply_chat_template(
                body["messages"], add_generation_prompt=True, **shown
            )
        ids = self.tokenizer.encode(text, add_special_tokens=False)
        return httpx.Response(
            200, json={"count": len(ids), "max_model_len": self.context, "tokens": ids}
        )

    def _load(self, body: Any) -> httpx.Response:
        name, root = body["lora_name"], body["lora_path"]
        if name in self.adapters:
            return error(400, f"The lora adapter '{name}' has already been loaded.")
        if root in self.lost:
            return error(404, f"Loading lora {name} failed: No adapter found", "NotFoundError")
        self.adapters[name] = root
        return httpx.Response(200, text=f"Success: LoRA adapter '{name}' added successfully.")

    def _complete(self, body: Any) -> httpx.Response:
        if body["model"] not in (self.base, *self.adapters):
            return error(404, f"The model `{body['model']}` does not exist.", "NotFoundError")
        if len(body["prompt"]) > self.context:
            return error(400, f"This model's maximum context length is {self.context} tokens.")
        try:
            matcher = self._matcher(body.get("structured_outputs"))
        except ValueError as exc:
            return error(400, f"Grammar error: {exc}")
        made, ending = self._write(matcher, body["max_tokens"])
        assert body["return_tokens_as_token_ids"]
        assert body["logprobs"] == 0
        logprobs = {
            "text_offset": [0] * len(made),
            "token_logprobs": [logprob for _, logprob in made],
            "tokens": [f"token_id:{token}" for token, _ in made],
            "top_logprobs": [{f"token_id:{token}": logprob} for token, logprob in made],
        }
        choice = {"index": 0, "text": "", "logprobs": logprobs, "finish_reason": ending}
        return httpx.Response(200, json={"model": body["model"], "choices": [choice]})

    def _matcher(self, language: Any) -> Matcher | None:
        """As vLLM's backend `guidance`, or `xgrammar`, which knows no Lark and no options."""
        if language is None:
            return None
        if self.backend == "guidance" and "grammar" in language:
            grammar = llguidance.grammar_from("grammar", language["grammar"])
        elif "json" in language:
            schema = dict(language["json"])
            if self.backend != "guidance":
                del schema["x-guidance"]
            grammar = Matcher.grammar_from_json_schema(
                json.dumps(schema), defaults={"whitespace_flexible": True}
            )
        else:
            raise ValueError("xgrammar cannot read Lark")
        matcher = Matcher(self._grammars, grammar)
        if matcher.is_error():
            raise ValueError(matcher.get_error())
        return matcher

    def _write(self, matcher: Matcher | None, most: int) -> tuple[list[tuple[int, float]], str]:
        end = self.tokenizer.eos_token_id
        wanted = [*self.tokenizer.encode(self.wants, add_special_tokens=False), end]
        made: list[tuple[int, float]] = []
        while len(made) < most:
            token = wanted[len(made)] if len(made) < len(wanted) else end
            allowed = self._allowed(matcher)
            if allowed and token not in allowed:
                token = min(allowed)
            forced = len(allowed) == 1 and not self.raw_logprobs
            made.append((token, 0.0 if forced else -0.25))
            if token == end:
                return made, "stop"
            if matcher:
                matcher.consume_token(token)
        return made, "length"

    def _allowed(self, matcher: Matcher | None) -> set[int]:
        """The tokens a grammar allows next; empty without a grammar."""
        if matcher is None:
            return set()
        if matcher.is_stopped():
            return {self.tokenizer.eos_token_id}
        mask = llguidance.numpy.allocate_token_bitmask(1, self._grammars.vocab_size)
        llguidance.numpy.fill_next_token_bitmask(matcher, mask, 0)
        bits = np.unpackbits(mask[0].view(np.uint8), bitorder="little")
        return set(np.flatnonzero(bits).tolist())


def error(status: int, message: str, kind: str = "BadRequestError") -> httpx.Response:
    """An error in vLLM's form."""
    body = {"error": {"message": message, "type": kind, "param": None, "code": status}}
    return httpx.Response(status, json=body)
