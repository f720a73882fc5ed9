"""Every error of the tree reaches a client as one problem document, and only as that."""

import httpx
import pytest
from fastapi import FastAPI

from gateway import errors
from gateway.errors import PointsmanError
from gateway.faces import problem
from tests.gateway.serving import problem_of

TREE: dict[type[PointsmanError], tuple[int, str]] = {
    errors.PointsmanError: (500, "internal"),
    errors.BadRequest: (422, "malformed_request"),
    errors.InvalidArguments: (422, "invalid_arguments"),
    errors.ConversationTooLong: (413, "too_large"),
    errors.Unauthenticated: (401, "unauthenticated"),
    errors.Forbidden: (403, "forbidden"),
    errors.NotApproved: (403, "not_approved"),
    errors.ApprovalAsked: (403, "approval_asked"),
    errors.NotFound: (404, "not_found"),
    errors.UnknownTool: (404, "unknown_tool"),
    errors.UnknownModel: (404, "unknown_model"),
    errors.UnknownServer: (404, "unknown_server"),
    errors.UnknownAdapter: (404, "unknown_adapter"),
    errors.Conflict: (409, "conflict"),
    errors.NameCollision: (409, "name_collision"),
    errors.AdapterRefused: (409, "adapter_refused"),
    errors.ProbeFailed: (409, "adapter_refused"),
    errors.HeldDefinition: (409, "held_definition"),
    errors.UpstreamDown: (502, "upstream_down"),
    errors.UpstreamRefused: (502, "upstream_refused"),
    errors.InputRequired: (502, "input_required"),
    errors.UpstreamTimeout: (504, "upstream_timeout"),
    errors.FallbackDown: (502, "fallback_down"),
    errors.FallbackTimeout: (504, "fallback_timeout"),
    errors.EngineDown: (503, "engine_down"),
    errors.ConfigurationError: (500, "configuration"),
}


def made(kind: type[PointsmanError]) -> PointsmanError:
    if kind is errors.InvalidArguments:
        return errors.InvalidArguments("pay", [{"pointer": "/sum", "message": "too much"}])
    return kind("what to do about it, 🦊 and \ud83d")


async def answer(exc: Exception) -> httpx.Response:
    """What a client gets when a route raises."""
    app = FastAPI()
    problem.install(app)

    @app.get("/")
    async def fail() -> None:
        raise exc

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.get("/")


def tree(kind: type[PointsmanError]) -> set[type[PointsmanError]]:
    ours = [each for each in kind.__subclasses__() if each.__module__ == "gateway.errors"]
    return {kind}.union(*(tree(each) for each in ours))


def test_the_table_holds_every_error_class() -> None:
    assert tree(PointsmanError) == set(TREE)


@pytest.mark.parametrize("kind", TREE)
async def test_every_error_class_is_mapped_to_its_status_and_code(
    kind: type[PointsmanError],
) -> None:
    exc = made(kind)
    response = await answer(exc)
    body = problem_of(response)
    assert (response.status_code, body["code"]) == TREE[kind]
    assert body["detail"] == str(exc)
    assert ("Retry-After" in response.headers) == (kind is errors.EngineDown)
    assert ("WWW-Authenticate" in response.headers) == (kind is errors.Unauthenticated)


async def test_broken_arguments_are_told_with_their_pointers() -> None:
    body = problem_of(await answer(made(errors.InvalidArguments)))
    assert body["errors"] == [{"pointer": "/sum", "message": "too much"}]


async def test_what_is_no_error_of_ours_is_internal_and_says_nothing() -> None:
    response = await answer(ZeroDivisionError("key=hush-4711"))
    body = problem_of(response)
    assert (response.status_code, body["code"]) == (500, "internal")
    assert "hush" not in response.text
    assert "Zero" not in response.text
