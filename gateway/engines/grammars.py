"""Grammars compiled for one tokenizer: what may be written next.

Answers are described without a tokenizer (`Prompt.schema`, `Prompt.grammar`); here the
description meets the tokens. No model and no tensor is known here.
"""

import json
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

import llguidance

from gateway.engines.base import Prompt
from gateway.engines.markers import with_control_tokens
from gateway.errors import EngineDown
from gateway.grammar import SPACING

_KEPT = 64


class Grammars:
    """Matchers by what they describe; the last used are kept compiled."""

    def __init__(self, tokenizer: Any, control_tokens: Iterable[str]) -> None:
        """`tokenizer` is an `llguidance.LLTokenizer`; `control_tokens` are its added tokens."""
        self._tokenizer = tokenizer
        self._control = frozenset(control_tokens)
        self._compiled: OrderedDict[str, Any] = OrderedDict()

    def matcher(self, prompt: Prompt) -> Any | None:
        """A fresh `llguidance.LLMatcher` of a prompt's answers, None for free decoding.

        Raises:
            EngineDown: the answers cannot be described to the decoder.
        """
        if prompt.schema is None and prompt.grammar is None:
            return None
        text = json.dumps(prompt.schema) if prompt.grammar is None else prompt.grammar
        if text not in self._compiled:
            matcher = llguidance.LLMatcher(
                self._tokenizer,
                llguidance.LLMatcher.grammar_from_json_schema(text, overrides=SPACING)
                if prompt.grammar is None
                else llguidance.LLMatcher.grammar_from_lark(
                    with_control_tokens(text, self._control)
                ),
            )
            if matcher.is_error():
                raise EngineDown(f"the toolset has no grammar: {matcher.get_error()}")
            self._compiled[text] = matcher
            if len(self._compiled) > _KEPT:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(text)
        return self._compiled[text].deep_copy()
