"""The proof that a vLLM server reads and writes as training did, made at every start.

vLLM tokenizes with transformers, as training does, so it is the witness that our token ids are
those of training: of a text with every added token, and of a prompt in every format that the base
model's chat template carries. A completion under a grammar shows the rest.
"""

from collections.abc import Iterable
from typing import Any

from gateway.engines.base import Completion, Prompt
from gateway.engines.tokenizer import FolderTokenizer
from gateway.engines.vllm_server import VllmServer
from gateway.errors import EngineDown
from gateway.formats.base import Asked, FormatRefused
from gateway.formats.known import FORMATS
from gateway.tokens import prompt_ids
from gateway.types import Message, Toolset

_TEXT = 'Grüße, 12 345 <b>x</b>\t{"a": [1.5, null]}\n\n日本語 🙂 don\'t '
_TURNS = (Message("user", _TEXT), Message("assistant", "yes?"), Message("user", "go on"))
_TOOLSET = Toolset.from_json(
    {"name": "proof", "tools": [{"name": "proof", "description": "Prüft <&> \"'", "inputSchema": {
        "type": "object", "properties": {"text": {"type": "string", "enum": ["ä", "<b>"]}}}}]}
)  # fmt: skip
_WRITTEN = '{"a": 1, "b": [2, 3]}'
GRAMMAR_PROOF = Prompt(
    messages=({"role": "user", "content": "Write JSON."},),
    adapter=None,
    schema={
        "type": "object", "properties": {"a": {"const": 1}, "b": {"const": [2, 3]}},
        "required": ["a", "b"], "additionalProperties": False,
    },
    max_prompt_tokens=1024,
    max_answer_tokens=64,
)  # fmt: skip
"""A prompt that has one answer alone, whatever the base model."""


async def prove_tokens(server: VllmServer, base_model: str, tokenizer: FolderTokenizer) -> None:
    """Raises EngineDown if the server makes other token ids than we do."""
    text = _TEXT + " ".join(tokenizer.get_added_vocab())
    theirs = await server.tokenize(
        {"model": base_model, "prompt": text, "add_special_tokens": False}
    )
    if theirs != tokenizer.encode(text, add_special_tokens=False):
        raise EngineDown(f"vLLM at {server.url} has another tokenizer than {tokenizer.folder}")
    for asked in _askable(tokenizer):
        body: dict[str, Any] = {"model": base_model, "messages": asked.messages}
        if asked.tools is not None:
            # In this member they reach the template as they are, past vLLM's own model of a tool.
            body["chat_template_kwargs"] = {"tools": asked.tools, "enable_thinking": False}
        if await server.tokenize(body) != prompt_ids(tokenizer, asked.messages, asked.tools):
            raise EngineDown(
                f"vLLM at {server.url} has another chat template than {tokenizer.folder}"
            )


def require_grammar(completion: Completion) -> None:
    """Raises EngineDown if the completion of GRAMMAR_PROOF shows another grammar than ours, or
    log-probabilities that are not those among the allowed tokens."""
    # After the last bracket nothing but the end is allowed.
    if completion.text != _WRITTEN or abs(completion.tokens[-1].logprob) > 1e-3:
        raise EngineDown(
            f"vLLM does not follow our grammar, it wrote {completion.text!r}; start it with "
            """--structured-outputs-config '{"backend": "guidance"}', without --logprobs-mode"""
        )


def _askable(tokenizer: FolderTokenizer) -> Iterable[Asked]:
    for format in FORMATS.values():
        try:
            format.writer(tokenizer)
        except FormatRefused:
            continue
        yield format.ask(_TURNS, _TOOLSET, format.forms[0])
