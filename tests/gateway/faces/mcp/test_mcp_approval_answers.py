"""Answers to the gateway's own question, by an agent that does as it likes; and its words."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.approval import OwnedCall
from gateway.errors import InvalidArguments
from gateway.faces.mcp.consent import text_of
from gateway.types import Call
from tests.gateway.faces.mcp.serving import Able, Face, behind, modern, modern_headers

YES: dict[str, Any] = {"action": "accept", "content": {"approve": True}}
POLICY: dict[str, Any] = {"approval": {"tools": ["echo", "ask"]}}


class Caller:
    """An agent of the 2026-07-28 revision that does as it likes with states and answers."""

    def __init__(
        self,
        face: Face,
        client: httpx.AsyncClient,
        *,
        tool: str = "echo",
        elicitation: Mapping[str, Any] | None = None,
    ) -> None:
        self._face, self._client, self._tool = face, client, tool
        self._can = {"elicitation": {"form": {}} if elicitation is None else elicitation}

    async def call(self, arguments: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        params = {"name": self._tool, "arguments": arguments, **more}
        body = modern("tools/call", params)
        body["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = self._can
        headers = modern_headers("tools/call", self._tool)
        response = await self._client.post(self._face.url(), json=body, headers=headers)
        assert response.status_code == 200, response.text
        return response.json()["result"]


async def test_an_answer_counts_once_and_for_its_own_call_alone(tmp_path: Path) -> None:
    server = Able()
    async with (
        behind(server, tmp_path=tmp_path, **POLICY) as face,
        httpx.AsyncClient() as client,
    ):
        agent, yes = Caller(face, client), {"inputResponses": {"approval": YES}}
        first = await agent.call({"text": "a", "times": 1})
        assert first["resultType"] == "input_required"
        other = await agent.call({"text": "b"}, requestState=first["requestState"], **yes)
        assert other["resultType"] == "input_required"  # a question of its own
        used = await agent.call(
            {"text": "a", "times": 1}, requestState=first["requestState"], **yes
        )
        assert used["resultType"] == "input_required"
        forged = await agent.call({"text": "a", "times": 1}, requestState="mcpa_made_up", **yes)
        assert forged["resultType"] == "input_required"
        # To Python, 1.0 is 1; to the user who reads it, it may not be.
        twin = await agent.call({"text": "a", "times": 1.0})
        swapped = await agent.call({"text": "a", "times": 1}, requestState=twin["requestState"],
                                   **yes)  # fmt: skip
        assert swapped["resultType"] == "input_required"
        assert server.called == []
        state = swapped["requestState"]
        asks = [agent.call({"text": "a", "times": 1}, requestState=state, **yes) for _ in range(5)]
        results = await asyncio.gather(*asks)
        assert sorted(r["resultType"] for r in results) == ["complete", *["input_required"] * 4]
        assert server.called == ["echo"]


@pytest.mark.parametrize(
    "answer", [{}, {"inputResponses": {}}, {"inputResponses": {"approval": {"roots": []}}}]
)
async def test_a_request_that_comes_back_without_an_answer_runs_nothing(
    tmp_path: Path, answer: dict[str, Any]
) -> None:
    server = Able()
    async with (
        behind(server, tmp_path=tmp_path, **POLICY) as face,
        httpx.AsyncClient() as client,
    ):
        agent = Caller(face, client)
        state = (await agent.call({"text": "a"}))["requestState"]
        result = await agent.call({"text": "a"}, requestState=state, **answer)
        assert result["isError"]
        assert "no result of an elicitation" in result["content"][0]["text"]
        assert server.called == []


async def test_what_answers_our_question_is_not_sent_to_the_server(tmp_path: Path) -> None:
    """The server of `ask` would take `inputResponses` for answers to its own question."""
    server = Able()
    async with (
        behind(server, tmp_path=tmp_path, **POLICY) as face,
        httpx.AsyncClient() as client,
    ):
        agent, yes = Caller(face, client, tool="ask"), {"inputResponses": {"approval": YES}}
        state = (await agent.call({}))["requestState"]
        asked = await agent.call({}, requestState=state, **yes)
        assert list(asked["inputRequests"]) == ["who"]
        assert asked["requestState"] != "asked"  # the server's own, which stays here
        ada = {"who": {"action": "accept", "content": {"name": "Ada"}}}
        done = await agent.call({}, requestState=asked["requestState"], inputResponses=ada)
        assert done["content"][0]["text"] == "hello {'name': 'Ada'} asked"
        again = await agent.call({}, requestState=asked["requestState"], inputResponses=ada)
        assert list(again["inputRequests"]) == ["approval"]


def test_a_question_hides_nothing_of_the_arguments() -> None:
    arguments = {"to": "a\u202egro.live\u200b", "note": "fox 🦊, tab\t", "list": [1, None, True]}
    shown = text_of([OwnedCall("desk", "", Call("send", arguments))])
    assert "\u202e" not in shown
    assert "\u200b" not in shown
    assert "🦊" in shown
    assert json.loads(shown.partition("\n")[2]) == arguments


def test_what_is_nested_too_deeply_to_be_shown_is_refused() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(InvalidArguments) as caught:
        text_of([OwnedCall("desk", "", Call("send", {"deep": deep}))])
    assert "too deeply" in caught.value.errors[0]["message"]


def test_what_nobody_would_read_is_refused() -> None:
    with pytest.raises(InvalidArguments) as caught:
        text_of([OwnedCall("desk", "", Call("send", {"note": "x" * 100_000}))])
    assert "too long (100" in caught.value.errors[0]["message"]


async def test_a_client_that_opens_pages_alone_cannot_be_asked_with_a_form(tmp_path: Path) -> None:
    server = Able()
    async with (
        behind(server, tmp_path=tmp_path, **POLICY) as face,
        httpx.AsyncClient() as client,
    ):
        agent = Caller(face, client, elicitation={"url": {}})
        refused = await agent.call({"text": "a"})
        assert refused["isError"]
        assert "declares no elicitation (form mode)" in refused["content"][0]["text"]
        agent = Caller(face, client, elicitation={})  # as before there were modes
        assert (await agent.call({"text": "a"}))["resultType"] == "input_required"
        assert server.called == []
