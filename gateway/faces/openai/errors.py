"""Errors for clients of OpenAI: the problem document of every face, with what OpenAI's API would
say as its member `error` (`{"message", "type", "param", "code"}`).

What clients of OpenAI act upon is the status; `type` and `param` are for their logs.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from gateway.errors import BadRequest, PointsmanError
from gateway.faces.problem import described, note_unexpected, problem_response

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class Unsupported(BadRequest):
    """A parameter that cannot be honoured; `param` is its name in the body."""

    def __init__(self, param: str, why: str) -> None:
        super().__init__(why)
        self.param = param


class ClientGone(Exception):
    """The client closed its connection; there is nobody to answer."""


def body_of(exc: Exception) -> dict[str, Any]:
    """What OpenAI's API would answer: `{"error": ...}`, all of it in a stream that has begun."""
    document, _ = described(exc)
    status, message, param = document["status"], document["detail"], getattr(exc, "param", None)
    if isinstance(exc, RequestValidationError):
        found = [(_param(error), str(error["msg"])) for error in exc.errors()]
        message = "; ".join(f"{name or 'the body'}: {why}" for name, why in found[:3])
        param = found[0][0]
    kind = _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    error = {"message": message, "type": kind, "param": param, "code": document["code"]}
    return {"error": error}


class OpenAiRoute(APIRoute):
    """A route whose errors have OpenAI's form."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's own, with its exceptions mapped."""
        answer = super().get_route_handler()

        async def mapped(request: Request) -> Response:
            try:
                return await answer(request)
            except ClientGone:
                return Response(status_code=499)  # seen by nobody but an access log
            except (PointsmanError, RequestValidationError, HTTPException) as exc:
                return problem_response(exc, body_of(exc))
            except Exception as exc:
                note_unexpected(request, exc)
                return problem_response(exc, body_of(exc))

        return mapped


def _param(error: Any) -> str | None:
    """Where in the body an error is, as OpenAI writes it: `messages[0].role`."""
    if error["type"] == "json_invalid":
        return None  # the location is an offset
    name = ""
    for part in error["loc"][1:]:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else str(part)
    return name or None
