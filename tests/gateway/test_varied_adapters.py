"""Adapters trained on varied tools: asked about what is on offer, held to it, never drifted."""

from pathlib import Path
from typing import Any

import pytest
from mcp.types import Tool

from gateway.config import AdapterConfig, Config
from gateway.drift_policy import DriftDefault
from gateway.engines.base import Prompt
from gateway.engines.scripted import ScriptedEngine
from gateway.pipeline import Reply, RouteRequest
from gateway.types import Message
from mcp_servers.support.toolset import toolset as support_revision
from tests.adapters import write_adapter
from tests.gateway.serving import ASK, TRACK, desk, served, settings
from tests.gateway.toolsets.upstream_doubles import Script

NEW = {"tool": "gift_wrap", "arguments": {"order_id": "ORD-1234"}}
LIVE = support_revision(2).tools
WEATHER = Tool(
    name="weather",
    description="Tell the weather.",
    input_schema={"type": "object", "properties": {"city": {"type": "string"}}},
)
BROKEN = Tool(name="broken", input_schema={"type": "no such type"})


def general(tmp_path: Path, script: Script, policy: DriftDefault = "mask") -> Config:
    """A gateway on the desk's second revision, for an adapter that knew the first by example."""
    prompt = {"form": "lines"}
    folder = write_adapter(tmp_path / "adapter", toolset_mode="varied", prompt=prompt)
    adapters = (AdapterConfig(folder=folder),)
    return settings(
        tmp_path, script.config(), adapter=False, adapters=adapters, drift_policy=policy
    )


async def asked(
    tmp_path: Path, answer: Any, policy: DriftDefault = "mask", **request: Any
) -> tuple[Reply, Prompt]:
    engine = ScriptedEngine(lambda _: answer)
    async with served(general(tmp_path, desk(tmp_path / "desk", 2), policy), engine) as gateway:
        reply = await gateway.parts.pipeline.handle(
            RouteRequest((Message("user", ASK),), "rest", **request)
        )
    (prompt,) = engine.prompts
    return reply, prompt


def shown(prompt: Prompt) -> list[str]:
    """The tools that the system message lists."""
    first, *lines = prompt.messages[0]["content"].split("\n")
    assert first == "Route the request to the tools of tools. Answer in JSON."
    return [line.partition("(")[0] for line in lines]


async def test_prompt_and_grammar_hold_the_live_tools(tmp_path: Path) -> None:
    _, prompt = await asked(tmp_path, TRACK)
    assert shown(prompt) == [tool.name for tool in LIVE]
    assert "gift_wrap" in str(prompt.schema)
    assert "exchange_item" not in str(prompt.schema)


@pytest.mark.parametrize("policy", ["mask", "warn", "block"])
async def test_a_tool_that_training_never_saw_is_called_under_every_policy(
    tmp_path: Path, policy: DriftDefault
) -> None:
    reply, _ = await asked(tmp_path, NEW, policy)
    assert (reply.decision.outcome, reply.drift_header) == ("call", None)
    assert [call.tool for call in reply.decision.calls] == ["gift_wrap"]


async def test_a_tool_that_changed_is_not_masked_but_held_to_its_live_schema(
    tmp_path: Path,
) -> None:
    old = {"tool": "request_refund", "arguments": {"order_id": "ORD-1234", "reason": "broken"}}
    reply, _ = await asked(tmp_path, old)
    assert (reply.decision.outcome, reply.decision.reason_code) == ("invalid", "schema")
    assert "currency" in (reply.decision.reason or "")


async def test_a_tool_that_is_gone_is_not_called(tmp_path: Path) -> None:
    gone = {"tool": "exchange_item", "arguments": {"order_id": "ORD-1234", "new_sku": "SKU-MUG12"}}
    reply, _ = await asked(tmp_path, gone)
    assert (reply.decision.outcome, reply.decision.reason_code) == ("invalid", "schema")


async def test_an_agents_own_tools_are_shown_instead_and_may_be_called(tmp_path: Path) -> None:
    answer = {"tool": "weather", "arguments": {}}
    reply, prompt = await asked(tmp_path, answer, tools=(WEATHER,))
    assert shown(prompt) == ["weather"]
    assert (reply.decision.outcome, reply.drift_header) == ("call", None)


async def test_a_live_tool_that_the_agent_does_not_offer_is_not_called(tmp_path: Path) -> None:
    reply, _ = await asked(tmp_path, TRACK, tools=(WEATHER,))
    assert (reply.decision.outcome, reply.decision.reason_code) == ("abstained", "policy")


async def test_a_tool_whose_schema_cannot_be_used_is_neither_shown_nor_called(
    tmp_path: Path,
) -> None:
    answer = {"tool": "broken", "arguments": {}}
    reply, prompt = await asked(tmp_path, answer, tools=(BROKEN, WEATHER))
    assert shown(prompt) == ["weather"]
    assert (reply.decision.outcome, reply.decision.reason_code) == ("invalid", "schema")


async def test_it_goes_into_service_where_none_of_the_tools_it_was_graded_with_is_live(
    tmp_path: Path,
) -> None:
    script = desk(tmp_path / "desk", 2)
    script.tell_pages([{"name": "weather", "inputSchema": {"type": "object"}}])
    async with served(general(tmp_path, script, "block")) as gateway:
        (active,) = gateway.parts.active.all
        (told,) = (await gateway.client.get("/admin/drift")).json()["adapters"]
        assert [tool.name for tool in active.asked.toolset.tools] == ["weather"]
    assert (told["toolset_mode"], told["grade"], told["tools"]) == ("varied", "none", [])
