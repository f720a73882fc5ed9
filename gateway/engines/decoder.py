"""Greedy decoding on a base model in this process, with adapters and grammar: a prompt in, a
completion out.

Tokens that the grammar forces are fed in one step instead of being decoded one by one, and the keys
and values of a toolset's constant prompt prefix are kept between prompts. The weights are bfloat16;
a processor without instructions for it computes with them in float32, which is twice as fast there
as imitating bfloat16. Above stands `local`, which owns the one thread that decodes; only this
module and `lora` import torch.
"""

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import llguidance
import llguidance.hf
import llguidance.numpy
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache

from gateway.engines.base import Completion, Prompt, Token
from gateway.engines.grammars import Grammars
from gateway.engines.lora import Adapters
from gateway.errors import AdapterRefused, ConversationTooLong, EngineDown, UnknownModel
from gateway.formats.base import FormatName
from gateway.formats.known import FORMATS
from gateway.manifest import prompt_spec
from gateway.tokens import Tokenizer, prefix_ids, prompt_ids
from gateway.types import Usage

_KEPT_PREFIXES = 16


def compute_dtype(device: torch.device) -> torch.dtype:
    """What the device multiplies fastest: bfloat16, or float32 on a CPU without it."""
    if device.type != "cpu":
        return torch.bfloat16
    # Older releases of torch cannot tell; float32 is the safe answer then.
    known: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return torch.bfloat16 if known.get("avx512_bf16") or known.get("amx_bf16") else torch.float32


@dataclass
class _Prefix:
    tokens: list[int]
    cache: Any


class Decoder:
    """Base model, tokenizer, adapters and caches; used from one thread only."""

    def __init__(self, folder: Path, device: str, threads: int | None) -> None:
        if threads:
            torch.set_num_threads(threads)
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self._device = torch.device(device)
        self._dtype = compute_dtype(self._device)
        loaded: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=self._dtype)
        self._base: Any = loaded.to(self._device).eval()
        self._adapters = Adapters(self._base)
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        self._vocabulary = llguidance.hf.from_tokenizer(
            self._tokenizer, n_vocab=self._base.config.vocab_size
        )
        self._grammars = Grammars(self._vocabulary, self._tokenizer.get_added_vocab())
        self._mask = llguidance.numpy.allocate_token_bitmask(1, self._base.config.vocab_size)
        self._carried: set[FormatName] = set()
        self._prefixes: OrderedDict[tuple[str | None, tuple[int, ...]], _Prefix] = OrderedDict()

    def load(self, version: str, folder: Path) -> None:
        """Load an adapter; one that is loaded stays as it is."""
        try:
            self._require(prompt_spec(folder).format)
        except ValueError as exc:
            raise AdapterRefused(f"{version}: {exc}") from exc
        self._adapters.load(version, folder)

    def unload(self, version: str) -> None:
        """Forget an adapter and the prefixes computed with it."""
        self._adapters.unload(version)
        for key in [key for key in self._prefixes if key[0] == version]:
            del self._prefixes[key]

    def complete(self, prompt: Prompt) -> Completion:
        """Greedy decoding of one prompt."""
        if prompt.adapter is not None and prompt.adapter not in self._adapters:
            raise UnknownModel(f"adapter {prompt.adapter} is not loaded")
        if prompt.tools is not None:
            self._require("native")  # the base model alone is asked without any adapter's check
        tokens = prompt_ids(cast(Tokenizer, self._tokenizer), prompt.messages, prompt.tools)
        if len(tokens) > prompt.max_prompt_tokens:
            raise ConversationTooLong(
                f"the conversation has {len(tokens)} tokens, at most {prompt.max_prompt_tokens} fit"
            )
        with torch.inference_mode():
            self._adapters.choose(prompt.adapter)
            return self._decode(prompt, tokens)

    def _require(self, name: FormatName) -> None:
        """Raises FormatRefused if the base model's chat template cannot carry a format."""
        if name not in self._carried:
            FORMATS[name].writer(cast(Tokenizer, self._tokenizer))
            self._carried.add(name)

    def _decode(self, prompt: Prompt, tokens: list[int]) -> Completion:
        prefix = self._prefix(prompt, tokens)
        matcher = self._grammars.matcher(prompt)
        written: list[int] = []
        made: list[Token] = []
        fed = tokens[len(prefix.tokens) :]
        try:
            while len(written) < prompt.max_answer_tokens:
                forced = matcher.compute_ff_tokens() if matcher else []
                if matcher and forced:
                    matcher.consume_tokens(forced)
                    written += forced
                    made += [Token(self._vocabulary.decode_bytes([i]), 0.0) for i in forced]
                    fed = fed + forced
                if matcher and matcher.is_stopped():
                    break
                token, logprob = self._choose(self._forward(fed, prefix.cache), matcher)
                if token == self._tokenizer.eos_token_id:
                    made.append(Token(b"", logprob))
                    break
                written.append(token)
                made.append(Token(self._vocabulary.decode_bytes([token]), logprob))
                fed = [token]
        finally:
            surplus = prefix.cache.get_seq_length() - len(prefix.tokens)
            if surplus:
                prefix.cache.crop(-surplus)
        text = self._tokenizer.decode(written, skip_special_tokens=True)
        return Completion(text, tuple(made), Usage(len(tokens), len(written)))

    def _forward(self, tokens: list[int], cache: Any) -> torch.Tensor:
        ids = torch.tensor([tokens], device=self._device)
        # By index: a slice of the last position would copy the whole output matrix.
        last = torch.tensor([len(tokens) - 1], device=self._device)
        output = self._base(
            input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=last
        )
        return output.logits[0, -1].float()

    def _choose(self, logits: torch.Tensor, matcher: Any | None) -> tuple[int, float]:
        """The likeliest allowed token, and its log-probability among the allowed ones."""
        if matcher is not None:
            llguidance.numpy.fill_next_token_bitmask(matcher, self._mask, 0)
            bits = torch.from_numpy(self._mask[0]).view(torch.uint8)
            shifts = torch.arange(8, dtype=torch.uint8)
            allowed = ((bits[:, None] >> shifts) & 1).flatten()[: logits.shape[0]].bool()
            logits = logits.masked_fill(~allowed.to(logits.device), -torch.inf)
        token = int(logits.argmax())
        step = float(logits[token] - logits.logsumexp(0))
        if matcher is not None and not matcher.consume_token(token):
            raise EngineDown(f"the grammar stopped: {matcher.get_error()}")
        return token, step

    def _prefix(self, prompt: Prompt, tokens: list[int]) -> _Prefix:
        """Keys and values of the system message, computed once per adapter and text."""
        ids = prefix_ids(cast(Tokenizer, self._tokenizer), prompt.messages, prompt.tools)
        if tokens[: len(ids)] != ids or len(ids) == len(tokens):
            ids = []
        key = (prompt.adapter, tuple(ids))
        if key not in self._prefixes:
            cache = DynamicCache(config=self._base.config)
            if ids:
                self._forward(ids, cache)
            self._prefixes[key] = _Prefix(ids, cache)
            if len(self._prefixes) > _KEPT_PREFIXES:
                self._prefixes.popitem(last=False)
        self._prefixes.move_to_end(key)
        return self._prefixes[key]
