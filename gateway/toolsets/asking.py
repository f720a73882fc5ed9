"""One request to a server: a time limit, one safe second try, every failure as an error of ours.

A request is sent twice only when the server says that it forgot the session, and so ran nothing.
A report of progress starts the time limit anew, and a question to the agent stops it.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Protocol

from mcp.shared.exceptions import MCPError
from mcp.types import (
    CONNECTION_CLOSED,
    PARSE_ERROR,
    REQUEST_TIMEOUT,
    CallToolResult,
    InputRequiredResult,
)
from pydantic import ValidationError

from gateway.config import ServerConfig
from gateway.errors import (
    InputRequired,
    InvalidArguments,
    UpstreamDown,
    UpstreamRefused,
    UpstreamTimeout,
)
from gateway.toolsets.caller import CALLER, Clock
from gateway.toolsets.connect import CONNECTION_LOST, SESSION_LOST
from gateway.toolsets.link import Link
from gateway.toolsets.outputs import output_error

_OURS = (CONNECTION_CLOSED, CONNECTION_LOST, SESSION_LOST, REQUEST_TIMEOUT, PARSE_ERROR)
"""Codes that tell of the connection, or that the answer is none (the client's parser says so with
the code for a bad request); all others are the server's own answers."""


class Line(Protocol):
    """A connection that is kept: the one that all share, or an agent's own."""

    async def connected(self) -> Link:
        """The live connection. Raises UpstreamDown."""
        ...

    async def reopen(self, lost: Link) -> None:
        """Replace a connection whose session the server forgot. Raises UpstreamDown."""
        ...


async def ask(
    line: Line, config: ServerConfig, method: str, params: Mapping[str, Any], what: str
) -> dict[str, Any]:
    """The raw result of one request; `what` names it in errors.

    Raises:
        UpstreamTimeout: no answer within the server's time-out; the request may have run.
        UpstreamRefused: the server answered with an error.
        UpstreamDown: not connected, or the connection broke.
    """
    link = await line.connected()
    try:
        return await _timed(link, config, method, params, what)
    except MCPError as exc:
        if exc.code != SESSION_LOST:
            raise failure(config.name, exc) from exc
    await line.reopen(link)
    try:
        return await _timed(await line.connected(), config, method, params, what)
    except MCPError as exc:
        raise failure(config.name, exc) from exc


async def _timed(
    link: Link, config: ServerConfig, method: str, params: Mapping[str, Any], what: str
) -> dict[str, Any]:
    caller = CALLER.get()
    try:
        async with asyncio.timeout(config.timeout_s) as clock:
            if caller is not None:
                caller.clock = Clock(clock, config.timeout_s)
            return await link.request(method, params)
    except TimeoutError as exc:
        raise UpstreamTimeout(
            f"server {config.name} did not answer {what} within {config.timeout_s:g} s; "
            "the call may have run"
        ) from exc
    finally:
        if caller is not None:
            caller.clock = None


def result_of(
    config: ServerConfig, link: Link | None, tool: str, raw: dict[str, Any]
) -> CallToolResult:
    """What a server answered to a call, as a result that keeps the tool's output schema.

    Raises:
        InputRequired: the tool asks for more input.
        UpstreamDown: it is no result, or breaks the schema; the call has run, or may have.
    """
    try:
        if raw.get("resultType") == "input_required":
            InputRequiredResult.model_validate(raw, by_name=False)
            raise InputRequired(f"{tool} asks for more input, which nobody here can give", raw)
        result = CallToolResult.model_validate(raw, by_name=False)
    except ValidationError as exc:
        raise UpstreamDown(
            f"server {config.name} answered {tool} with no result: {_first_reason(exc)}; "
            "the call may have run"
        ) from exc
    schema = link.output_schema(tool) if link is not None and not result.is_error else None
    error = output_error(config.name, tool, schema, result) if schema is not None else None
    if error is not None:
        raise UpstreamDown(
            f"server {config.name} ran {tool}, but its result breaks its output schema: {error}"
        )
    return result


def _first_reason(exc: ValidationError) -> str:
    error = exc.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}".removeprefix(": ")


def check_wire(tool: str, arguments: dict[str, Any]) -> None:
    """Refuse what JSON cannot carry: the SDK loses the whole connection over such a message.

    Raises:
        InvalidArguments: nothing was sent.
    """
    try:
        json.dumps(arguments, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as exc:
        message = f"JSON cannot carry them: {exc}".split("\n", 1)[0]
        raise InvalidArguments(tool, [{"pointer": "", "message": message}]) from exc


def failure(server: str, exc: MCPError) -> UpstreamDown:
    """The SDK's error as one of ours."""
    text = f"server {server}: {exc.message}"
    if exc.code in _OURS:
        return UpstreamDown(text.split("\n", 1)[0])
    return UpstreamRefused(text, exc.code, exc.message, exc.data)


def innermost(exc: BaseException) -> BaseException:
    """The first exception at the bottom of nested groups."""
    while isinstance(exc, BaseExceptionGroup):
        exc = exc.exceptions[0]
    return exc


def reason(exc: BaseException) -> str:
    """The innermost reason of an exception group, in one line."""
    exc = innermost(exc)
    return f"{type(exc).__name__}: {exc}".split("\n", 1)[0].rstrip(": ")
