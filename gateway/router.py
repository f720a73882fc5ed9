"""The router: a conversation and an adapter -> a route. It proposes; `decide` judges.

Prompt and grammar render the adapter's toolset, which is that of its manifest whatever is live
(or, for a `varied` adapter, the tools on offer), in the format that the manifest names. The grammar
lets only such identifiers be written as the conversation gives. Below stands the engine; above,
the pipeline.
"""

from asyncio import to_thread
from collections.abc import Sequence
from dataclasses import replace

from gateway.confidence import evidence
from gateway.engines.base import Engine, Prompt
from gateway.formats.base import Language
from gateway.formats.known import FORMATS
from gateway.grounding.candidates import narrowed
from gateway.manifest import Adapter
from gateway.types import Message, Route

_BASE_TOKENS = 8_000
_BASE_ANSWER_TOKENS = 128
"""No answer of ours is longer; an untuned model would fill whatever it is given with prose."""


class Router:
    """Routes conversations with any adapter that the engine has loaded."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def route(
        self,
        messages: Sequence[Message],
        adapter: Adapter,
        *,
        constrained: bool = True,
        base_model: bool = False,
    ) -> Route:
        """Ask the adapter about its toolset (`Adapter.offering`); without tools there is no_tool.

        For evaluation alone, `constrained=False` decodes freely, and `base_model=True` asks the
        base model without the adapter, shown every schema of the toolset.

        Raises:
            ConversationTooLong: the conversation does not fit the adapter's prompt limit.
            EngineDown, UnknownModel: the engine cannot complete it.
        """
        if not adapter.toolset.tools:
            return Route(reason="there are no tools")
        spec = adapter.manifest.prompt
        format = FORMATS[spec.format]
        asked = format.ask(messages, adapter.toolset, "schemas" if base_model else spec.form)
        tools = await to_thread(narrowed, adapter.toolset, messages)
        language = format.language(tools) if constrained else Language()
        completion = await self._engine.complete(
            Prompt(
                messages=asked.messages,
                adapter=None if base_model else adapter.version,
                schema=language.schema,
                max_prompt_tokens=_BASE_TOKENS if base_model else spec.max_prompt_tokens,
                max_answer_tokens=_BASE_ANSWER_TOKENS if base_model else spec.max_answer_tokens,
                tools=asked.tools,
                grammar=language.grammar,
            )
        )
        found = evidence(completion)
        return replace(
            format.parse(completion.text),
            confidence=adapter.manifest.calibration.confidence(found),
            evidence=found,
            usage=completion.usage,
        )
