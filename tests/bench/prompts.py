"""The prompt that the router makes of a conversation, without an engine that answers it."""

from collections.abc import Sequence
from typing import cast

from gateway.engines.base import Completion, Engine, Prompt
from gateway.manifest import Adapter
from gateway.router import Router
from gateway.types import Message


class _Caught(Exception):
    def __init__(self, prompt: Prompt) -> None:
        self.prompt = prompt


class _Catcher:
    """An engine that answers nothing and gives its prompt back."""

    async def complete(self, prompt: Prompt) -> Completion:
        raise _Caught(prompt)


async def router_prompt(messages: Sequence[Message], adapter: Adapter) -> Prompt:
    """What an engine would be asked for a conversation, with the adapter's version."""
    try:
        await Router(cast(Engine, _Catcher())).route(messages, adapter)
    except _Caught as caught:
        return caught.prompt
    raise AssertionError("the router asked no engine")
