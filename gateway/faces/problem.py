"""One shape for every error: `application/problem+json` (RFC 9457). No stack traces."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from gateway.errors import PointsmanError

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


def problem_response(exc: PointsmanError) -> JSONResponse:
    """The response of an error of ours."""
    headers = {"Retry-After": str(exc.retry_after)} if exc.retry_after else None
    if exc.status == 401:
        headers = {"WWW-Authenticate": "Bearer"}
    return _response(problem(exc.status, exc.code, str(exc), exc.extra), headers)


def install(app: FastAPI) -> None:
    """Map every exception that can reach a face."""

    async def ours(_: Request, exc: Exception) -> JSONResponse:
        assert isinstance(exc, PointsmanError)
        return problem_response(exc)

    async def malformed(_: Request, exc: Exception) -> JSONResponse:
        assert isinstance(exc, RequestValidationError)
        errors = [
            {
                "pointer": "/" + "/".join(str(part) for part in error["loc"][1:]),
                "message": error["msg"],
            }
            for error in exc.errors()
        ]
        detail = "; ".join(f"{e['pointer']}: {e['message']}" for e in errors[:3])
        extra = jsonable_encoder({"errors": errors})
        return _response(problem(422, "malformed_request", detail, extra))

    async def http(_: Request, exc: Exception) -> JSONResponse:
        assert isinstance(exc, HTTPException)
        code = HTTPStatus(exc.status_code).name.lower()
        return _response(problem(exc.status_code, code, str(exc.detail)), exc.headers)

    async def unexpected(request: Request, exc: Exception) -> JSONResponse:
        logger.exception("%s %s failed", request.method, request.url.path, exc_info=exc)
        return _response(problem(500, "internal", "the gateway failed; its log says why"))

    app.add_exception_handler(PointsmanError, ours)
    app.add_exception_handler(RequestValidationError, malformed)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, unexpected)


def _response(body: dict[str, Any], headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse(
        body, body["status"], headers=dict(headers or {}), media_type="application/problem+json"
    )
