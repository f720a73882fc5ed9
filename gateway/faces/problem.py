"""One shape for every error: `application/problem+json` (RFC 9457). No stack traces."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from gateway.errors import BadRequest, PointsmanError
from gateway.faces.response import Json
from gateway.pointer import pointer_of

logger = logging.getLogger(__name__)


def problem(
    status: int, code: str, detail: str, extra: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A problem document; `type` is a relative reference, stable per code."""
    return {
        "type": f"/problems/{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        **(extra or {}),
    }


def described(exc: Exception) -> tuple[dict[str, Any], dict[str, str]]:
    """The problem document of an exception that reached a face, and the headers beside it."""
    if isinstance(exc, PointsmanError):
        headers = {"Retry-After": str(exc.retry_after)} if exc.retry_after else {}
        if exc.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return problem(exc.status, exc.code, str(exc), exc.extra), headers
    if isinstance(exc, RequestValidationError):
        errors = [
            {"pointer": _pointer(error["type"], error["loc"]), "message": error["msg"]}
            for error in exc.errors()
        ]
        detail = "; ".join(f"{e['pointer'] or '/'}: {e['message']}" for e in errors[:3])
        return problem(422, BadRequest.code, detail, {"errors": errors}), {}
    if isinstance(exc, HTTPException):
        if exc.status_code == 400:
            # FastAPI's answer to a body that is no text, or nested too deeply for a parser.
            return described(BadRequest("the body cannot be read as JSON"))
        code = HTTPStatus(exc.status_code).name.lower()
        return problem(exc.status_code, code, str(exc.detail)), dict(exc.headers or {})
    return problem(500, "internal", "the gateway failed; its log says why"), {}


def problem_response(exc: Exception, extra: Mapping[str, Any] | None = None) -> Json:
    """The response of an exception; `extra` are members that a face adds to its document."""
    body, headers = described(exc)
    body = {**body, **(extra or {})}
    return Json(body, body["status"], headers=headers, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Map every exception that can reach a face."""

    async def expected(_: Request, exc: Exception) -> Json:
        return problem_response(exc)

    async def unexpected(request: Request, exc: Exception) -> Json:
        note_unexpected(request, exc)
        return problem_response(exc)

    for kind in (PointsmanError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, expected)
    app.add_exception_handler(Exception, unexpected)


def note_unexpected(request: Request, exc: Exception) -> None:
    """Log what nobody foresaw, with its trace; the caller learns only that there is a log."""
    logger.exception("%s %s failed", request.method, request.url.path, exc_info=exc)


def _pointer(kind: str, location: Sequence[str | int]) -> str:
    """Where in the body (or query) an error is, as RFC 6901 writes it."""
    if kind == "json_invalid":
        return ""  # the location is an offset
    return pointer_of(location[1:])
