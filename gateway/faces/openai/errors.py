"""Errors as OpenAI's API writes them: `{"error": {"message", "type", "param", "code"}}`.

Statuses and codes are those of every face. What clients of OpenAI act upon is the status; `type`
and `param` are for their logs.
"""

import logging
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from gateway.errors import BadRequest, PointsmanError
from gateway.faces.response import Json

logger = logging.getLogger(__name__)

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class Unsupported(BadRequest):
    """A parameter that cannot be honoured; `param` is its name in the body."""

    def __init__(self, param: str, why: str) -> None:
        super().__init__(why)
        self.param = param


class ClientGone(Exception):
    """The client closed its connection; there is nobody to answer."""


def error_body(status: int, code: str, message: str, param: str | None = None) -> dict[str, Any]:
    """The body of an error."""
    kind = _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def body_of(exc: Exception) -> dict[str, Any]:
    """The body of an exception, for a stream that has begun."""
    if isinstance(exc, PointsmanError):
        return error_body(exc.status, exc.code, str(exc), getattr(exc, "param", None))
    return error_body(500, "internal", "the gateway failed; its log says why")


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
            except PointsmanError as exc:
                return Json(body_of(exc), exc.status, headers=_headers(exc))
            except RequestValidationError as exc:
                return _malformed(exc)
            except HTTPException as exc:
                # FastAPI's answer to a body that is no text, or nested too deeply for a parser.
                why = BadRequest("the body cannot be read as JSON")
                return Json(body_of(why), why.status, headers=exc.headers)
            except Exception as exc:
                logger.exception("%s %s failed", request.method, request.url.path)
                return Json(body_of(exc), 500)

        return mapped


def _headers(exc: PointsmanError) -> dict[str, str]:
    headers: dict[str, str] = {}
    if exc.retry_after is not None:
        headers["Retry-After"] = str(exc.retry_after)
    if exc.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return headers


def _malformed(exc: RequestValidationError) -> Json:
    found = [(_param(error), str(error["msg"])) for error in exc.errors()]
    message = "; ".join(f"{param or 'the body'}: {why}" for param, why in found[:3])
    return Json(error_body(422, BadRequest.code, message, found[0][0]), 422)


def _param(error: Any) -> str | None:
    """Where in the body an error is, as OpenAI writes it: `messages[0].role`."""
    if error["type"] == "json_invalid":
        return None  # the location is an offset
    name = ""
    for part in error["loc"][1:]:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else str(part)
    return name or None
