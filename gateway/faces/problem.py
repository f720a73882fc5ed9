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


def problem_response(exc: PointsmanError) -> Json:
    """The response of an error of ours."""
    headers = {"Retry-After": str(exc.retry_after)} if exc.retry_after else None
    if exc.status == 401:
        headers = {"WWW-Authenticate": "Bearer"}
    return _response(problem(exc.status, exc.code, str(exc), exc.extra), headers)


def install(app: FastAPI) -> None:
    """Map every exception that can reach a face."""

    async def ours(_: Request, exc: Exception) -> Json:
        assert isinstance(exc, PointsmanError)
        return problem_response(exc)

    async def malformed(_: Request, exc: Exception) -> Json:
        assert isinstance(exc, RequestValidationError)
        errors = [
            {"pointer": _pointer(error["type"], error["loc"]), "message": error["msg"]}
            for error in exc.errors()
        ]
        detail = "; ".join(f"{e['pointer'] or '/'}: {e['message']}" for e in errors[:3])
        return _response(problem(422, "malformed_request", detail, {"errors": errors}))

    async def http(_: Request, exc: Exception) -> Json:
        assert isinstance(exc, HTTPException)
        if exc.status_code == 400:
            # FastAPI's answer to a body that is no text, or nested too deeply for a parser.
            return problem_response(BadRequest("the body cannot be read as JSON"))
        code = HTTPStatus(exc.status_code).name.lower()
        return _response(problem(exc.status_code, code, str(exc.detail)), exc.headers)

    async def unexpected(request: Request, exc: Exception) -> Json:
        logger.exception("%s %s failed", request.method, request.url.path, exc_info=exc)
        return _response(problem(500, "internal", "the gateway failed; its log says why"))

    app.add_exception_handler(PointsmanError, ours)
    app.add_exception_handler(RequestValidationError, malformed)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, unexpected)


def _pointer(kind: str, location: Sequence[str | int]) -> str:
    """Where in the body (or query) an error is, as RFC 6901 writes it."""
    if kind == "json_invalid":
        return ""  # the location is an offset
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in location[1:])
    return "".join("/" + part for part in parts)


def _response(body: dict[str, Any], headers: Mapping[str, str] | None = None) -> Json:
    return Json(
        body, body["status"], headers=dict(headers or {}), media_type="application/problem+json"
    )
