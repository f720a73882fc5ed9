"""The teacher's column of a report: a large model behind an OpenAI-compatible endpoint.

It gets the turns that the router gets (`gateway.prompt.render`, without our system message) and
the toolset as `tools`, and decides for itself whether to call. What it answers becomes a route and
passes the same checks as the base model's answers. An endpoint that is too busy is asked again; a
request that fails ends the column: a teacher graded on some of the rows could not be compared. The
key never enters an error or a report.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import httpx
from pydantic import BaseModel, Field, ValidationError

from gateway.grammar import parse_answer
from gateway.prompt import openai_tools, render
from gateway.types import Route, Toolset, Usage
from training.evaluation.answers import Answer, Judge, Progress
from training.rows import Row

_SHOWN_CHARS = 300
_BUSY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_ATTEMPTS = 4
_LONGEST_PAUSE_S = 60.0


class TeacherFailed(ValueError):
    """The endpoint did not answer a row; the message says which and why."""


@dataclass(frozen=True)
class Teacher:
    """Where to ask: `url` is what stands before `/chat/completions`; `timeout_s` is per answer.

    At most `concurrency` rows are asked at once. `pause` waits (in seconds) before a busy endpoint
    is asked again.
    """

    url: str
    model: str
    key: str | None = field(default=None, repr=False)
    concurrency: int = 4
    timeout_s: float = 120.0
    transport: httpx.AsyncBaseTransport | None = None
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep

    def __post_init__(self) -> None:
        """Raises ValueError for a URL that is none, no model, or a bound below 1."""
        try:
            url = httpx.URL(self.url)
        except httpx.InvalidURL as exc:
            raise ValueError(f"the teacher's URL cannot be used: {exc}") from exc
        if url.scheme not in ("http", "https") or not url.host:
            raise ValueError("the teacher's URL must begin with http or https and name a host")
        if not self.model or self.concurrency < 1:
            raise ValueError("a teacher needs a model, and asks at least one row at once")

    @property
    def name(self) -> str:
        """The model and its host, for errors; a URL may hold a password."""
        return f"teacher {self.model} at {httpx.URL(self.url).host}"

    def client(self) -> httpx.AsyncClient:
        """A client of the endpoint; the caller closes it."""
        return httpx.AsyncClient(
            base_url=self.url,
            headers={"Authorization": f"Bearer {self.key}"} if self.key else {},
            timeout=self.timeout_s,
            transport=self.transport,
        )


class _Function(BaseModel):
    name: str
    arguments: str | None = None


class _ToolCall(BaseModel):
    function: _Function


class _Said(BaseModel):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(BaseModel):
    message: _Said
    finish_reason: str | None = None


class _Tokens(BaseModel):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Completion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)
    usage: _Tokens | None = None


async def teacher_answers(
    teacher: Teacher, toolset: Toolset, rows: Sequence[Row], progress: Progress | None = None
) -> list[Answer]:
    """Ask the teacher for every row; answers come in the order of the rows.

    Raises:
        TeacherFailed: the endpoint cannot be reached, refuses a row, or answers in another form.
    """
    judge, slots = Judge(toolset), asyncio.Semaphore(teacher.concurrency)
    found: dict[int, Answer] = {}

    async def ask(client: httpx.AsyncClient, number: int, row: Row) -> None:
        async with slots:
            try:
                route, seconds = await _ask(teacher, client, request(teacher, toolset, row))
            except TeacherFailed as exc:
                raise TeacherFailed(f"{teacher.name}, row {number}: {exc}") from None
        found[number] = judge.answer(row, route, seconds)
        if progress:
            progress(f"teacher {teacher.model}", len(found), len(rows))

    try:
        async with teacher.client() as client, asyncio.TaskGroup() as group:
            for number, row in enumerate(rows, 1):
                group.create_task(ask(client, number, row))
    except ExceptionGroup as exc:
        raise exc.exceptions[0] from None
    return [found[number] for number in sorted(found)]


async def _ask(
    teacher: Teacher, client: httpx.AsyncClient, body: dict[str, Any]
) -> tuple[Route, float]:
    """The route, and the seconds that the answered attempt took."""
    attempt = 1
    while True:
        started = time.perf_counter()
        try:
            response = await client.post("chat/completions", json=body)
        except httpx.TimeoutException as exc:
            raise TeacherFailed(f"no answer within {teacher.timeout_s:g} s") from exc
        except httpx.HTTPError as exc:
            why = _shown(str(exc), teacher.key) or type(exc).__name__
            raise TeacherFailed(f"cannot be reached: {why}") from exc
        seconds = time.perf_counter() - started
        if response.status_code not in _BUSY or attempt == _ATTEMPTS:
            return _read(response, teacher.key), seconds
        await teacher.pause(_pause_s(response, attempt))
        attempt += 1


def _read(response: httpx.Response, key: str | None) -> Route:
    said = _shown(response.text, key) or "(empty)"
    if response.status_code != HTTPStatus.OK:
        raise TeacherFailed(f"status {response.status_code}: {said}")
    try:
        return read_completion(response.content)
    except ValidationError as exc:
        raise TeacherFailed(f"the answer is no chat completion: {said}") from exc


def _pause_s(response: httpx.Response, attempt: int) -> float:
    """What the endpoint asks for in seconds (RFC 9110, 10.2.3), or else 2, 4, 8 ..."""
    asked = response.headers.get("Retry-After", "")
    return min(_LONGEST_PAUSE_S, float(asked) if asked.isdecimal() else 2.0**attempt)


def request(teacher: Teacher, toolset: Toolset, row: Row) -> dict[str, Any]:
    """The body of the request for one row, in the form of OpenAI's Chat Completions."""
    _, *turns = render(row.messages, toolset, "name")
    return {
        "model": teacher.model,
        "messages": turns,
        "tools": openai_tools(toolset),
        "tool_choice": "auto",
        "temperature": 0,
    }


def read_completion(body: bytes) -> Route:
    """A chat completion as a route: its tool calls, or else its text as the reason for no_tool.

    What is neither, or a call whose arguments cannot be read, is a route with `error`.

    Raises:
        ValidationError: the body is no chat completion.
    """
    completion = _Completion.model_validate_json(body)
    tokens = completion.usage or _Tokens()
    usage = Usage(tokens.prompt_tokens, tokens.completion_tokens)
    choice = completion.choices[0]
    said = choice.message
    text = (said.content or said.refusal or "").strip()
    if said.tool_calls:
        read = _read_calls(said.tool_calls)
        return Route(calls=read.calls, error=read.error, usage=usage)
    if not text:
        why = f" (finish reason {choice.finish_reason})" if choice.finish_reason else ""
        return Route(error=f"neither a call nor a text{why}", usage=usage)
    return Route(reason=text, usage=usage)


def _read_calls(calls: Sequence[_ToolCall]) -> Route:
    made: list[dict[str, Any]] = []
    for call in calls:
        try:
            arguments = json.loads((call.function.arguments or "").strip() or "{}")
        except (ValueError, RecursionError) as exc:
            return Route(error=f"the arguments of {call.function.name} are not JSON: {exc}")
        made.append({"tool": call.function.name, "arguments": arguments})
    # Written in our own form and read by our own parser, so that one set of bounds holds for all.
    return parse_answer(json.dumps({"calls": made}))


def _shown(text: str, key: str | None) -> str:
    """The beginning of a text on one line, without the key, which endpoints and libraries quote."""
    text = text.replace(key, "[key]") if key else text
    return " ".join(text.split())[:_SHOWN_CHARS]
