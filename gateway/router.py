"""The router: a conversation and an adapter -> a route. It proposes; `decide` judges.

Prompt and grammar render the toolset of the adapter's manifest, whatever is live. Below stands
the engine; above, the pipeline.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gateway.engines.base import Engine, Prompt
from gateway.grammar import answer_schema, parse_answer
from gateway.manifest import Adapter
from gateway.prompt import render
from gateway.types import Message, Route

_BASE_TOKENS = 8_000
_BASE_ANSWER_TOKENS = 128
"""No answer of ours is longer; an untuned model would fill whatever it is given with prose."""


class Router:
    """Routes conversations with any adapter that the engine has loaded."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._schemas: dict[str, Mapping[str, Any]] = {}

    async def route(
        self,
        messages: Sequence[Message],
        adapter: Adapter,
        *,
        constrained: bool = True,
        base_model: bool = False,
    ) -> Route:
        """Ask the adapter.

        For evaluation alone, `constrained=False` decodes freely, and `base_model=True` asks the
        base model without the adapter, shown every schema of the toolset.

        Raises:
            ConversationTooLong: the conversation does not fit the adapter's prompt limit.
            EngineDown, UnknownModel: the engine cannot complete it.
        """
        spec = adapter.manifest.prompt
        form = "schemas" if base_model else spec.form
        completion = await self._engine.complete(
            Prompt(
                messages=tuple(render(messages, adapter.toolset, form)),
                adapter=None if base_model else adapter.version,
                schema=self._schema(adapter) if constrained else None,
                max_prompt_tokens=_BASE_TOKENS if base_model else spec.max_prompt_tokens,
                max_answer_tokens=_BASE_ANSWER_TOKENS if base_model else spec.max_answer_tokens,
            )
        )
        return replace(
            parse_answer(completion.text),
            confidence=adapter.manifest.calibration.confidence(completion.logprob),
            logprob=completion.logprob,
            usage=completion.usage,
        )

    def _schema(self, adapter: Adapter) -> Mapping[str, Any]:
        fingerprint = adapter.toolset.fingerprint
        if fingerprint not in self._schemas:
            self._schemas[fingerprint] = answer_schema(adapter.toolset)
        return self._schemas[fingerprint]
