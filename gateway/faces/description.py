"""The OpenAPI description: what the operations share, declared once.

An operation names the statuses that its problems have; each is one response of the description's
components, to which every operation refers. Knows documents and statuses, and no operation.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import models_json_schema

_SCHEMAS = "#/components/schemas/{model}"
_RESPONSES = "#/components/responses/{name}"
_OPENAI = "OpenAi"
_KEY = "key"
_SECONDS = {"description": "When to try again, in seconds.", "schema": {"type": "integer"}}

_PROBLEMS: Mapping[int, tuple[str, str]] = {
    401: ("Unauthenticated", "No key, or one that is not known."),
    403: ("Forbidden", "Host, origin, key or configuration does not allow it."),
    404: ("NotFound", "What the request names does not exist."),
    409: ("Conflict", "The request contradicts what is there, or waits for an approval."),
    413: ("TooLarge", "The body, or the conversation in it, is too large."),
    422: ("Malformed", "The request, or a call in it, is not what is taken; nothing ran."),
    429: ("TooMany", "Too many requests at once."),
    502: ("UpstreamDown", "A server behind the gateway cannot be reached or broke its protocol."),
    503: ("EngineDown", "The engine cannot answer now, or the policy for drift is to block."),
    504: ("UpstreamTimeout", "A server behind the gateway did not answer in time."),
}
_HEADERS: Mapping[int, Mapping[str, Any]] = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}}},
    429: {"Retry-After": _SECONDS},
    503: {"Retry-After": _SECONDS},
}

Responses = dict[int | str, dict[str, Any]]


class Pointed(BaseModel):
    """One error, and where it is: a JSON Pointer into the body, the arguments or the query."""

    pointer: str
    message: str


class Problem(BaseModel):
    """A problem document (RFC 9457); some codes have more members."""

    model_config = ConfigDict(extra="allow")
    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[Pointed] = []


class OpenAiError(BaseModel):
    """What OpenAI's API would say."""

    message: str
    type: str
    param: str | None
    code: str


class OpenAiProblem(Problem):
    """A problem document for clients of OpenAI."""

    error: OpenAiError


def _reference(name: str) -> dict[str, Any]:
    return {"$ref": _RESPONSES.format(name=name)}


def problems(*statuses: int) -> Responses:
    """The problems that an operation answers with, for its `responses`."""
    return {status: _reference(_PROBLEMS[status][0]) for status in statuses}


def openai_problems(*statuses: int) -> Responses:
    """The same for an operation whose errors have OpenAI's form."""
    return {status: _reference(_OPENAI + _PROBLEMS[status][0]) for status in statuses}


DRIFT_HEADER: Mapping[str, Any] = {
    "X-Pointsman-Drift": {
        "description": "The drift of the adapter that answered; absent if there is none.",
        "schema": {"type": "string"},
    }
}
EVERYWHERE = problems(403, 413, 429)
"""What is answered before any operation is asked: in the plain form, whatever the operation's."""


def install(app: FastAPI) -> None:
    """Have the application's own description completed when it is first asked for."""
    plain = app.openapi

    def completed() -> dict[str, Any]:
        if app.openapi_schema is None:
            _complete(plain())
        return plain()

    app.openapi = completed


def _complete(description: dict[str, Any]) -> None:
    """Declare what all refer to, and say of every operation in a line what it does."""
    models = [Problem, OpenAiProblem]
    _, made = models_json_schema(
        [(model, "serialization") for model in models], ref_template=_SCHEMAS
    )
    components = description.setdefault("components", {})
    components["schemas"] = components.get("schemas", {}) | made["$defs"]
    components["responses"] = dict(_declared())
    components["securitySchemes"] = {_KEY: {"type": "http", "scheme": "bearer"}}
    for path in description["paths"].values():
        for operation in path.values():
            _tidy(operation)
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)


def _tidy(operation: dict[str, Any]) -> None:
    text = " ".join(operation.pop("description", "").split())
    head, _, rest = text.partition(". ")
    operation["summary"] = head.removesuffix(".")
    if rest:
        operation["description"] = rest
    responses = dict(sorted(operation["responses"].items()))
    operation["responses"] = responses
    if "$ref" not in responses.get("422", {"$ref": ""}):
        del responses["422"]  # FastAPI's own guess
    if "401" in responses:
        operation["security"] = [{_KEY: []}]
    for response in responses.values():
        if "$ref" in response:
            del response["description"]  # FastAPI's own; the one referred to says more


def _declared() -> Iterator[tuple[str, dict[str, Any]]]:
    for prefix, model in (("", "Problem"), (_OPENAI, "OpenAiProblem")):
        schema = {"$ref": _SCHEMAS.format(model=model)}
        for status, (name, why) in _PROBLEMS.items():
            content = {"application/problem+json": {"schema": schema}}
            headers = _HEADERS.get(status, {})
            yield prefix + name, {"description": why, "content": content, "headers": headers}
