"""What OpenAI's APIs answer here, as the OpenAPI description tells it; see `faces.answers`."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from gateway.faces.description import DRIFT_HEADER

_EVENT = {
    "type": "object",
    "properties": {
        "event": {"type": "string", "description": "The event's type; in Responses alone."},
        "data": {"type": "string", "description": "JSON, or `[DONE]` at a completion's end."},
    },
    "required": ["data"],
}
EVENTS = {"text/event-stream": {"itemSchema": _EVENT}}
"""The content of an answer to a request with `stream`; what is described is one event."""
ANSWER_HEADERS = {
    "X-Pointsman-Path": {
        "description": "Who answered.",
        "schema": {"enum": ["router", "fallback", "reason", "result"]},
    },
    "X-Pointsman-Outcome": {
        "description": "What the router said; absent if it was not asked.",
        "schema": {"type": "string"},
    },
    **DRIFT_HEADER,
}


class WrittenFunction(BaseModel):
    """The function of a tool call; arguments are JSON text."""

    name: str
    arguments: str


class WrittenCall(BaseModel):
    """A tool call."""

    id: str
    type: Literal["function"]
    function: WrittenFunction


class AssistantMessage(BaseModel):
    """The answer: calls, a text, or a refusal with its reason."""

    role: Literal["assistant"]
    content: str | None
    refusal: str | None
    tool_calls: list[WrittenCall] = []


class CompletionChoice(BaseModel):
    """The only choice."""

    index: int
    message: AssistantMessage
    finish_reason: str
    logprobs: None


class CompletionUsage(BaseModel):
    """Tokens of the one who answered."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatCompletion(BaseModel):
    """The object `chat.completion`."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: CompletionUsage


class ServedModel(BaseModel):
    """A name that may stand as `model`."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ServedModels(BaseModel):
    """Every such name."""

    object: Literal["list"]
    data: list[ServedModel]


class OutputItem(BaseModel):
    """An item that a response adds to the conversation; its type says what it has beside."""

    model_config = ConfigDict(extra="allow")
    id: str
    type: Literal["message", "function_call", "mcp_list_tools", "mcp_call", "mcp_approval_request"]


class ResponseUsage(BaseModel):
    """Tokens of all rounds."""

    model_config = ConfigDict(extra="allow")
    input_tokens: int
    output_tokens: int
    total_tokens: int


class ResponseError(BaseModel):
    """What ended a response that failed, by one of OpenAI's codes."""

    code: str
    message: str


class ResponseObject(BaseModel):
    """The object `response`; what the request set is told back beside these members. One that
    failed has called something before, so that asking again would call it twice."""

    model_config = ConfigDict(extra="allow")
    id: str
    object: Literal["response"]
    created_at: int
    status: Literal["completed", "incomplete", "failed"]
    error: ResponseError | None
    incomplete_details: dict[str, Any] | None
    model: str
    output: list[OutputItem]
    usage: ResponseUsage | None
