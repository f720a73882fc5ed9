"""Approvals of the Responses API: what waits for a person, and that it runs at most once."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.faces.chats import error_of
from tests.gateway.faces.respond import (
    ASKING,
    CANCEL,
    DESK,
    ECHO,
    answering,
    approval,
    ask,
    output_of,
)
from tests.gateway.fallback.llm_double import LlmDouble, says
from tests.gateway.serving import ASK, TRACK, dispatched, tell_desk
from tests.gateway.toolsets.upstream_doubles import http


async def test_a_call_that_must_be_approved_runs_once_and_only_then(tmp_path: Path) -> None:
    async with answering(tmp_path) as (gateway, script):
        asked = await ask(gateway, ASKING)
        _, request = output_of(asked, "mcp_list_tools", "mcp_approval_request")
        assert dispatched(script) == 0
        before = asked.json()["id"]
        yes = [approval(request)]
        approved = await ask(gateway, ASKING, input=yes, previous_response_id=before)
        assert dispatched(script) == 1
        again = await ask(gateway, ASKING, input=yes, previous_response_id=before)
        assert dispatched(script) == 1
        metrics = (await gateway.client.get("/metrics")).text
    assert (request["server_label"], request["name"]) == ("script", "track_order")
    assert json.loads(request["arguments"]) == TRACK["arguments"]
    call, message = output_of(approved, "mcp_call", "message")
    assert (call["approval_request_id"], call["output"]) == (request["id"], ECHO)
    assert message["content"][0]["text"] == ECHO
    assert (again.status_code, error_of(again)["code"]) == (404, "not_found")
    assert 'pointsman_approvals_total{step="asked"} 1.0' in metrics
    assert 'pointsman_approvals_total{step="approved"} 1.0' in metrics


async def test_an_agent_that_keeps_the_conversation_itself_is_served_as_well(
    tmp_path: Path,
) -> None:
    async with answering(tmp_path) as (gateway, script):
        user = {"role": "user", "content": ASK}
        asked = await ask(gateway, ASKING, input=[user], store=False)
        first = asked.json()["output"]
        history = [user, *first, approval(first[-1])]
        approved = await ask(gateway, ASKING, input=history, store=False)
        call, message = output_of(approved, "mcp_call", "message")
        # The whole story comes back with the next question; nothing of it runs again.
        story = [*history, call, message, user]
        output_of(await ask(gateway, ASKING, input=story, store=False), "mcp_approval_request")
        assert dispatched(script) == 1
        missing = await ask(gateway, ASKING, previous_response_id=asked.json()["id"])
        assert missing.status_code == 404


async def test_a_denied_call_does_not_run(tmp_path: Path) -> None:
    async with answering(tmp_path) as (gateway, script):
        asked = await ask(gateway, ASKING)
        request = asked.json()["output"][-1]
        no = [{**approval(request, approve=False), "reason": "too early"}]
        denied = await ask(gateway, ASKING, input=no, previous_response_id=asked.json()["id"])
        yes = [approval(request)]
        late = await ask(gateway, ASKING, input=yes, previous_response_id=asked.json()["id"])
        assert dispatched(script) == 0
    (message,) = output_of(denied, "message")
    assert message["content"][0]["text"] == "not approved: too early"
    assert late.status_code == 404


async def test_a_malformed_conversation_is_refused_before_the_approved_call_runs(
    tmp_path: Path,
) -> None:
    async with answering(tmp_path) as (gateway, script):
        request = (await ask(gateway, ASKING)).json()["output"][-1]
        robot = {"role": "robot", "content": "x"}
        broken = await ask(gateway, ASKING, input=[robot, approval(request)])
        assert (broken.status_code, dispatched(script)) == (422, 0)
        assert (await ask(gateway, ASKING, input=[approval(request)])).status_code == 200
        assert dispatched(script) == 1


async def test_an_approval_of_a_tool_that_changed_is_refused(tmp_path: Path) -> None:
    escalate = {"tool": "escalate", "arguments": {"reason": "it is late"}}
    async with answering(tmp_path, escalate) as (gateway, script):
        request = (await ask(gateway, ASKING)).json()["output"][-1]
        tell_desk(script, 2)
        await gateway.parts.watch.refresh("script")
        changed = await ask(gateway, ASKING, input=[approval(request)])
        unlisted = await ask(gateway, input=[approval(request)])
        forged = await ask(gateway, ASKING, input=[approval({"id": "mcpr_made_up"})])
        shapeless = await ask(gateway, ASKING, input=[{**approval(request), "approve": "yes"}])
        twice = await ask(gateway, ASKING, input=[approval(request, False)] * 2)
        assert dispatched(script) == 0
    found = [response.status_code for response in (changed, unlisted, forged, shapeless, twice)]
    assert found == [409, 422, 404, 422, 422]


async def test_one_call_to_be_approved_holds_back_all_calls_of_an_answer(tmp_path: Path) -> None:
    tool = {**DESK, "require_approval": {"never": {"tool_names": ["track_order"]}}}
    async with answering(tmp_path, {"calls": [TRACK, CANCEL]}) as (gateway, script):
        response = await ask(gateway, tool)
        assert dispatched(script) == 0
        kinds = ("mcp_list_tools", "mcp_approval_request", "mcp_approval_request")
        _, *requests = output_of(response, *kinds)
        both = [approval(request) for request in requests]
        more = await ask(gateway, tool, input=both, previous_response_id=response.json()["id"])
        output_of(more, "mcp_call", "mcp_call", "message")
        assert dispatched(script) == 2


@pytest.mark.parametrize(
    "member",
    [
        {"require_approval": {"never": {"tools": ["track_order"]}}},
        {"require_approval": {"never": {"tool_names": ["track_order"], "readonly": True}}},
        {"require_approval": {"never": {}}},
        {"require_approval": {"never": {"tool_names": None}}},
        {"require_approval": {"nevr": {"tool_names": ["track_order"]}}},
        {"allowed_tools": {"tool_name": ["track_order"]}},
        {"allowed_tool": ["track_order"]},
    ],
    ids=str,
)
async def test_a_filter_that_is_misspelt_or_names_nothing_is_refused(
    tmp_path: Path, member: dict[str, Any]
) -> None:
    async with answering(tmp_path, CANCEL) as (gateway, script):
        response = await ask(gateway, {**DESK, **member})
        assert dispatched(script) == 0
    assert response.status_code == 422
    assert "tools[0].mcp" in error_of(response)["message"]


async def test_a_server_that_stands_twice_is_refused(tmp_path: Path) -> None:
    async with answering(tmp_path, CANCEL) as (gateway, script):
        response = await ask(gateway, ASKING, {**DESK, "allowed_tools": ["cancel_order"]})
        assert dispatched(script) == 0
    assert response.status_code == 422
    assert "'script' stands twice" in error_of(response)["message"]


@pytest.mark.parametrize("approve", [True, False])
@pytest.mark.parametrize(
    ("choice", "then"),
    [
        ("required", "auto"),
        ({"type": "function", "name": "track_order"}, "auto"),
        ("none", "none"),
    ],
    ids=str,
)
async def test_once_a_person_has_answered_no_call_is_required_any_more(
    tmp_path: Path, choice: Any, then: str, approve: bool
) -> None:
    double = LlmDouble(says("As you say."))
    async with http(double.app) as port:
        fallback = {"url": f"http://127.0.0.1:{port}/v1", "model": "big"}
        async with answering(tmp_path, fallback=fallback) as (gateway, _):
            request = (await ask(gateway, ASKING)).json()["output"][-1]
            answer = [{"role": "user", "content": ASK}, approval(request, approve)]
            response = await ask(gateway, ASKING, input=answer, tool_choice=choice)
    made = ["mcp_call"] if approve else []
    output_of(response, "mcp_list_tools", *made, "message")
    assert double.asked[0]["tool_choice"] == then


async def test_destructive_tools_wait_whatever_the_agent_says(tmp_path: Path) -> None:
    policy = {"destructive": True}
    async with answering(tmp_path, CANCEL, approval=policy) as (gateway, script):
        response = await ask(gateway, DESK)
        _, request = output_of(response, "mcp_list_tools", "mcp_approval_request")
        assert dispatched(script) == 0
        output_of(await ask(gateway, DESK, input=[approval(request)]),
                  "mcp_list_tools", "mcp_call", "message")  # fmt: skip
        assert dispatched(script) == 1
