"""The router: a conversation and an adapter -> a route. It proposes; `decide` judges.

Prompt and grammar render the toolset of the adapter's manifest, whatever is live, in the format
that the manifest names. Below stands the engine; above, the pipeline.
"""

from collections.abc import Sequence
from dataclasses import replace

from gateway.engines.base import Engine, Prompt
from gateway.formats.base import FormatName, Language
from gateway.formats.known import FORMATS
from gateway.manifest import Adapter
from gateway.types import Message, Route

_BASE_TOKENS = 8_000
_BASE_ANSWER_TOKENS = 128
"""No answer of ours is longer; an untuned model would fill whatever it is given with prose."""


class Router:
    """Routes conversations with any adapter that the engine has loaded."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._languages: dict[tuple[FormatName, str], Language] = {}

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
        format = FORMATS[spec.format]
        asked = format.ask(messages, adapter.toolset, "schemas" if base_model else spec.form)
        language = self._language(adapter) if constrained else Language()
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
        return replace(
            format.parse(completion.text),
            confidence=adapter.manifest.calibration.confidence(completion.logprob),
            logprob=completion.logprob,
            usage=completion.usage,
        )

    def _language(self, adapter: Adapter) -> Language:
        name = adapter.manifest.prompt.format
        key = (name, adapter.toolset.fingerprint)
        if key not in self._languages:
            self._languages[key] = FORMATS[name].language(adapter.toolset)
        return self._languages[key]
