"""The messages and tools of Chat Completions, and what they are in our words.

A conversation is rendered as training renders it: an assistant's calls in the form that the model
itself writes, tool results as the role `tool`. For the fallback it stays as the agent sent it.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from mcp.types import Tool
from pydantic import BaseModel, ConfigDict, Field

from gateway.errors import BadRequest
from gateway.fallback.written import arguments_of
from gateway.prompt import render_calls
from gateway.types import Call, Message

ToolName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class Sent(BaseModel):
    """A value that an agent sent; what is not known here goes on to the fallback unchanged."""

    model_config = ConfigDict(extra="allow")


class TextPart(Sent):
    """A part of a message's content; other types than text cannot be routed."""

    type: str
    text: str | None = None
    refusal: str | None = None


class CalledFunction(Sent):
    """The function of a tool call in the history; arguments are JSON text."""

    name: str
    arguments: str = "{}"


class MadeCall(Sent):
    """A tool call in the history."""

    id: str
    function: CalledFunction


class ChatMessage(Sent):
    """One message of the history."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[TextPart] | None = None
    refusal: str | None = None
    tool_calls: list[MadeCall] | None = None
    tool_call_id: str | None = None

    @property
    def text(self) -> str:
        """The content's text. Raises BadRequest for a part that is not text."""
        if self.content is None or isinstance(self.content, str):
            return self.content or self.refusal or ""
        if any(part.type not in ("text", "refusal") for part in self.content):
            raise BadRequest("messages may hold text alone")
        return "\n".join(part.text or part.refusal or "" for part in self.content)

    @property
    def spoken(self) -> dict[str, Any]:
        """The message as it was sent."""
        return self.model_dump(exclude_unset=True)

    @property
    def message(self) -> Message:
        """The message in our words. Raises BadRequest for calls that are no calls."""
        if self.tool_calls:
            return Message("assistant", render_calls([_call(made) for made in self.tool_calls]))
        return Message("system" if self.role == "developer" else self.role, self.text)


class OfferedFunction(BaseModel):
    """A tool as OpenAI's API writes it; without parameters it takes none."""

    name: ToolName
    description: str | None = None
    parameters: dict[str, Any] | None = None

    @property
    def tool(self) -> Tool:
        """The tool in our words."""
        parameters = self.parameters or {"type": "object", "properties": {}}
        return Tool(name=self.name, description=self.description, input_schema=parameters)


class OfferedTool(BaseModel):
    """A tool the agent offers."""

    type: Literal["function"]
    function: OfferedFunction


def in_our_words(messages: Sequence[ChatMessage]) -> tuple[Message, ...]:
    """The conversation as the router reads it.

    Raises:
        BadRequest: a part is not text, calls are no calls, or a result answers no call.
    """
    asked: set[str] = set()
    for message in messages:
        asked |= {made.id for made in message.tool_calls or ()}
        answered = message.tool_call_id
        if message.role == "tool" and answered not in asked:
            raise BadRequest(f"a tool message answers {answered!r}, which no message before calls")
    return tuple(message.message for message in messages)


def as_sent(messages: Sequence[ChatMessage]) -> tuple[Mapping[str, Any], ...]:
    """The conversation as OpenAI writes it."""
    return tuple(message.spoken for message in messages)


def _call(made: MadeCall) -> Call:
    try:
        return Call(made.function.name, arguments_of(made.function.arguments))
    except ValueError as exc:
        raise BadRequest(str(exc)) from exc
