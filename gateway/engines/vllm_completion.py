"""A prompt as the body of vLLM's `/v1/completions`, and the answer as a completion.

Pure: values in, values out. Tokens come back as ids (`token_id:N`), because vLLM's token texts lose
the bytes of a token that holds a part of a character.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.engines.base import Completion, Prompt, Token
from gateway.engines.markers import with_control_tokens
from gateway.engines.tokenizer import FolderTokenizer
from gateway.grammar import SPACING
from gateway.types import Usage

_GREEDY: Mapping[str, Any] = {
    # A base model's generation_config may set penalties, which vLLM would apply in silence.
    "temperature": 0.0, "repetition_penalty": 1.0, "presence_penalty": 0.0,
    "frequency_penalty": 0.0, "logprobs": 0, "return_tokens_as_token_ids": True,
}  # fmt: skip
_ID = "token_id:"


def completion_body(
    prompt: Prompt, ids: Sequence[int], model: str, tokenizer: FolderTokenizer
) -> dict[str, Any]:
    """What to post: the prompt's ids, decoded greedily within the prompt's language."""
    body = {"model": model, "prompt": list(ids), "max_tokens": prompt.max_answer_tokens}
    return body | dict(_GREEDY) | _language(prompt, tokenizer)


def read_completion(
    answer: Mapping[str, Any], model: str, tokenizer: FolderTokenizer, prompt_tokens: int
) -> Completion:
    """What vLLM wrote. The closing token writes nothing and is not counted.

    Raises:
        ValueError: another model answered, generation was broken off, or an id is none.
        LookupError, TypeError: the answer has another form.
    """
    if answer["model"] != model:
        raise ValueError(f"{answer['model']} answered instead of {model}")
    choice = answer["choices"][0]
    if choice["finish_reason"] not in ("stop", "length"):
        raise ValueError(f"generation ended with {choice['finish_reason']}")
    ids = [int(token.removeprefix(_ID)) for token in choice["logprobs"]["tokens"]]
    logprobs = [float(value) for value in choice["logprobs"]["token_logprobs"]]
    closed = choice["finish_reason"] == "stop"
    written = ids[:-1] if closed else ids
    data = [tokenizer.token_bytes(number) for number in written] + [b""] * closed
    return Completion(
        tokenizer.decode(written, skip_special_tokens=True),
        tuple(Token(*pair) for pair in zip(data, logprobs, strict=True)),
        Usage(prompt_tokens, len(written)),
    )


def _language(prompt: Prompt, tokenizer: FolderTokenizer) -> dict[str, Any]:
    if prompt.grammar is not None:
        grammar = with_control_tokens(prompt.grammar, tokenizer.get_added_vocab())
        return {"structured_outputs": {"grammar": grammar}}
    if prompt.schema is not None:
        # The schema's own options outrank those that the server was started with.
        return {"structured_outputs": {"json": {**prompt.schema, "x-guidance": SPACING}}}
    return {}
