"""Bodies that mean harm and answers that are none, over real HTTP: each gets a clear error, runs
nothing that it should not, and leaves the gateway serving."""

import asyncio
import json
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp.types import HEADER_MISMATCH, INTERNAL_ERROR, INVALID_REQUEST, PARSE_ERROR, Tool

from gateway.engines.base import Completion, Prompt
from gateway.engines.scripted import ScriptedEngine
from tests.gateway.faces.mcp.raw import Agent, agents, answer_of
from tests.gateway.faces.mcp.serving import ECHO, Able, gateway, modern
from tests.gateway.serving import desk, settings

FREE = Tool(name="free", input_schema={"type": "object"})
HOLE = '"@"'


def server() -> Able:
    return Able(tools=[ECHO, FREE])


@pytest.fixture(params=["modern", "legacy"])
def era(request: pytest.FixtureRequest) -> Any:
    """The era of the agent."""
    return request.param


def nested(depth: int, kind: str) -> str:
    opening, closing = {"list": ("[", "]"), "object": ('{"a":', "}")}[kind]
    return opening * depth + "1" + closing * depth


async def still_serves(agent: Agent) -> None:
    answer = answer_of(await agent.call("free", {}, 99))
    assert answer["result"]["content"][0]["text"] == "free"


async def test_arguments_nested_deeply_are_refused(era: Any, tmp_path: Path) -> None:
    able = server()
    async with agents(able, tmp_path, era) as (_, agent):
        for depth, kind in product((100, 10_000), ("list", "object")):
            body = json.dumps(agent.message("free", {"x": "@"})).replace(HOLE, nested(depth, kind))
            response = await agent.post(body.encode(), "free")
            answer = answer_of(response)
            if depth == 100:
                assert "nested deeper than 64" in answer["result"]["content"][0]["text"]
                assert answer["result"]["isError"]
            else:
                assert (response.status_code, answer["error"]["code"]) == (400, PARSE_ERROR)
        assert able.called == []
        await still_serves(agent)


async def test_what_is_nested_beside_the_arguments_hurts_nobody(era: Any, tmp_path: Path) -> None:
    able = server()
    async with agents(able, tmp_path, era) as (_, agent):
        message = agent.message("free", {})
        message["params"].setdefault("_meta", {})["x"] = "@"
        for depth, status in ((10_000, 400), (100, 200)):
            body = json.dumps(message).replace(HOLE, nested(depth, "list"))
            response = await agent.post(body.encode(), "free")
            assert "Traceback" not in response.text
            assert response.status_code == status
            assert len(able.called) == (status == 200)
        await still_serves(agent)


async def test_arguments_that_json_cannot_carry_are_refused(era: Any, tmp_path: Path) -> None:
    broken = {
        "invalid UTF-8": b'{"x": "\xff\xfe"}', "long number": b'{"x": ' + b"9" * 5_000 + b"}",
        "half a pair": b'{"x": "\\ud800"}', "NaN": b'{"x": NaN}', "infinite": b'{"x": 1e999}',
        "list": b"[]", "number": b"5",
    }  # fmt: skip
    able = server()
    async with agents(able, tmp_path, era) as (_, agent):
        for what, arguments in broken.items():
            body = json.dumps(agent.message("free", "@")).encode()
            response = await agent.post(body.replace(HOLE.encode(), arguments), "free")
            answer = answer_of(response)
            assert response.status_code in (200, 400), what
            assert "error" in answer or answer["result"]["isError"], what
        assert able.called == []
        await still_serves(agent)


async def test_a_body_over_the_limit_is_too_large_in_a_session_as_well(
    era: Any, tmp_path: Path
) -> None:
    able = server()
    async with agents(able, tmp_path, era) as (_, agent):
        response = await agent.call("free", {"x": "x" * 2_000_000})
        assert (response.status_code, able.called) == (413, [])
        await still_serves(agent)


async def test_an_envelope_that_is_none_is_refused(era: Any, tmp_path: Path) -> None:
    changes: list[dict[str, Any]] = [
        {"id": [1]}, {"id": {"a": 1}}, {"id": True}, {"id": 1.5}, {"id": None}, {"jsonrpc": "1.0"},
        {"jsonrpc": None}, {"method": 5}, {"params": [1]}, {"params": None},
    ]  # fmt: skip
    able = server()
    async with agents(able, tmp_path, era) as (_, agent):
        for change in changes:
            response = await agent.post(agent.message("free", {}) | change, "free")
            assert response.status_code == 400, change
            assert "error" in answer_of(response)
        assert able.called == []
        await still_serves(agent)


async def test_a_body_that_is_no_message_is_refused_in_plain_words(
    era: Any, tmp_path: Path
) -> None:
    able = server()
    async with agents(able, tmp_path, era) as (_, agent):
        batch = json.dumps([agent.message("free", {}, number) for number in (1, 2)]).encode()
        empty = (b"[]", b"3", b"null", b'"x"', b'{"jsonrpc":"2.0","id":1}')
        for body in (batch, *empty):
            response = await agent.post(body, "free")
            error = answer_of(response)["error"]
            assert (response.status_code, error["code"]) == (400, INVALID_REQUEST), body
            assert "pydantic" not in error["message"]
        assert able.called == []
        await still_serves(agent)


async def test_a_wrong_protocol_version_runs_nothing(era: Any, tmp_path: Path) -> None:
    able = server()
    async with agents(able, tmp_path, era) as (_, agent):
        for version in ("1999-01-01", "nonsense", "", "2026-07-28, 2025-06-18", "5"):
            message = agent.message("free", {})
            response = await agent.post(message, "free", mcp_protocol_version=version)
            assert response.status_code == 400, version
            assert "error" in answer_of(response)
        assert able.called == []
        await still_serves(agent)


async def test_a_modern_body_is_refused_where_the_header_speaks_of_a_session(
    tmp_path: Path,
) -> None:
    able = server()
    async with agents(able, tmp_path, "legacy") as (_, agent):
        body = modern("tools/call", {"name": "free", "arguments": {}})
        for headers in ({}, {"mcp_protocol_version": "2025-03-26"}):
            response = await agent.post(body, "free", **headers)
            error = answer_of(response)["error"]
            assert (response.status_code, error["code"]) == (400, HEADER_MISMATCH)
        assert able.called == []


async def test_headers_that_are_given_twice_are_refused(tmp_path: Path) -> None:
    able = server()
    async with agents(able, tmp_path, "modern") as (face, agent):
        body = json.dumps(agent.message("free", {})).encode()
        sent = [(b"content-type", b"application/json"), (b"mcp-name", b"echo"),
                (b"accept", b"application/json, text/event-stream"),
                (b"mcp-protocol-version", b"2026-07-28"),
                (b"mcp-method", b"tools/call"), (b"mcp-name", b"free")]  # fmt: skip
        response = await agent.client.post(face.url(), content=body, headers=sent)
        assert answer_of(response)["error"]["code"] == HEADER_MISMATCH
        assert able.called == []


async def test_a_second_request_with_an_id_in_work_is_refused_and_the_first_answered(
    tmp_path: Path,
) -> None:
    able = Able()
    async with agents(able, tmp_path, "legacy") as (face, agent):
        waiting = asyncio.create_task(agent.call("wait", {}, 5))
        await able.begun.wait()
        for same in (5, "5"):
            refused = await agent.call("echo", {"text": "a"}, same)
            error = answer_of(refused)["error"]
            assert (refused.status_code, error["code"]) == (400, INVALID_REQUEST)
            assert "in work already" in error["message"]
        other = await Agent.of(agent.client, "legacy")
        assert "result" in answer_of(await other.call("echo", {"text": "b"}, 5))
        cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled",
                  "params": {"requestId": 5}}  # fmt: skip
        assert (await agent.post(cancel)).status_code == 202
        assert "error" in answer_of(await waiting)
        assert "result" in answer_of(await agent.call("echo", {"text": "c"}, 5))
        assert able.called == ["wait", "echo", "echo"]
        assert [c["outcome"] for c in (await face.parts.records.calls())[::-1]] == [
            "call", "cancelled", "call",
        ]  # fmt: skip


async def test_odd_notifications_and_answers_that_nobody_asked_for_are_dropped(
    tmp_path: Path,
) -> None:
    async with agents(server(), tmp_path, "legacy") as (_, agent):
        for body in (
            {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": []}},
            {"jsonrpc": "2.0", "method": "notifications/cancelled"},
            {"jsonrpc": "2.0", "id": None, "method": "notifications/made_up"},
            {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": "x"}},
            {"jsonrpc": "2.0", "id": 77, "result": {}},
            {"jsonrpc": "2.0", "id": 77, "error": {"code": 1, "message": "no"}},
        ):
            assert (await agent.post(body)).status_code == 202
        await still_serves(agent)


class Broken(ScriptedEngine):
    """An engine with a bug."""

    async def complete(self, prompt: Prompt) -> Completion:
        raise ZeroDivisionError("a secret")


async def test_a_bug_is_an_internal_error_that_gives_nothing_away(era: Any, tmp_path: Path) -> None:
    config = settings(tmp_path, desk(tmp_path / "desk").config())
    async with (
        gateway(config, Broken()) as face,
        httpx.AsyncClient(base_url=face.url("")) as client,
    ):
        agent = await Agent.of(client, era)
        response = await agent.call("route", {"request": "where is ORD-1234?"})
        assert answer_of(response)["error"] == {"code": INTERNAL_ERROR, "message": "Internal error"}
        again = answer_of(await agent.call("track_order", {"order_id": "ORD-1234"}, 8))
        assert "result" in again
