"""Calls that their client cancels or leaves: cancelled at the server, and told of in the record."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp.server import ServerRequestContext
from mcp.types import CallToolRequestParams, CallToolResult

from gateway.engines.base import Completion, Prompt
from gateway.engines.scripted import ScriptedEngine
from tests.gateway.faces.mcp.raw import Agent, agents
from tests.gateway.faces.mcp.serving import Able, Face, behind, gateway, said
from tests.gateway.serving import ASK, TRACK, desk, settings
from tests.gateway.toolsets.upstream_doubles import PATIENCE_S


class Slow(Able):
    """Reports progress, so that the answer is a stream, and waits; `gate` lets it go on."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()

    async def _steps(
        self, ctx: ServerRequestContext[Any, Any], params: CallToolRequestParams
    ) -> CallToolResult:
        await ctx.session.report_progress(1, 2, "begun")
        self.begun.set()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return said("done")


async def recorded(face: Face, count: int = 1) -> list[dict[str, Any]]:
    """The records, newest first, once there are so many."""
    async with asyncio.timeout(PATIENCE_S):
        while len(found := await face.parts.records.calls()) < count:
            await asyncio.sleep(0)
    return found


def counted(face: Face, outcome: str) -> float | None:
    labels = {"face": "mcp", "outcome": outcome, "reason_code": ""}
    return face.parts.metrics.registry.get_sample_value("pointsman_requests_total", labels)


async def test_a_call_that_its_client_cancels_is_recorded_as_cancelled(
    mode: Any, tmp_path: Path
) -> None:
    server = Able()
    async with behind(server, tmp_path=tmp_path) as face, face.client(mode) as client:
        calling = asyncio.create_task(client.call_tool("wait", {}))
        await server.begun.wait()
        calling.cancel()
        [record] = await recorded(face)
        await server.cancelled.wait()
        assert (record["outcome"], record["calls"]) == (
            "cancelled", [{"tool": "wait", "arguments": {}}],
        )  # fmt: skip
        assert "cancelled by its client" in record["reason"]
        assert counted(face, "cancelled") == 1
        assert server.called == ["wait"]


async def test_a_modern_agent_that_leaves_in_the_middle_of_a_stream_cancels_its_call(
    tmp_path: Path,
) -> None:
    server = Slow()
    async with agents(server, tmp_path, "modern") as (face, agent), asyncio.timeout(PATIENCE_S):
        await _leave_mid_stream(agent, server)
        await server.cancelled.wait()
        [record] = await recorded(face)
        assert record["outcome"] == "cancelled"
        assert counted(face, "cancelled") == 1


async def test_a_session_s_call_goes_on_when_its_stream_breaks_and_ends_with_the_session(
    tmp_path: Path,
) -> None:
    """The handshake era has it so: to hang up is not to cancel, the network may have done it."""
    server = Slow()
    async with agents(server, tmp_path, "legacy") as (face, agent), asyncio.timeout(PATIENCE_S):
        await _leave_mid_stream(agent, server)
        server.gate.set()
        [record] = await recorded(face)
        assert (record["outcome"], server.cancelled.is_set()) == ("call", False)
        server.gate.clear()
        server.begun.clear()
        await _leave_mid_stream(agent, server, 8)
        ended = await agent.client.delete("/mcp", headers=dict(agent.session))
        assert ended.status_code == 200
        await server.cancelled.wait()
        [record, _] = await recorded(face, 2)
        assert record["outcome"] == "cancelled"
        assert server.called == ["steps", "steps"]


async def _leave_mid_stream(agent: Agent, server: Slow, request_id: int = 7) -> None:
    message = agent.message("steps", {}, request_id)
    message["params"].setdefault("_meta", {})["progressToken"] = "t"

    async def read() -> None:
        async with httpx.AsyncClient(base_url=agent.client.base_url, timeout=None) as client:
            await Agent(client, agent.era, agent.session).post(message, "steps")

    reading = asyncio.create_task(read())
    await server.begun.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


class Hanging(ScriptedEngine):
    """An engine that begins an answer and never ends it."""

    def __init__(self) -> None:
        super().__init__({ASK: TRACK})
        self.asked = asyncio.Event()

    async def complete(self, prompt: Prompt) -> Completion:
        self.asked.set()
        await asyncio.Event().wait()
        raise AssertionError


async def test_a_request_cancelled_while_it_is_routed_is_recorded(
    mode: Any, tmp_path: Path
) -> None:
    engine = Hanging()
    config = settings(tmp_path, desk(tmp_path / "desk").config())
    async with gateway(config, engine) as face, face.client(mode, "/mcp/support") as client:
        calling = asyncio.create_task(client.call_tool("route", {"request": ASK}))
        await engine.asked.wait()
        calling.cancel()
        [record] = await recorded(face)
        assert (record["outcome"], record["dispatched"]) == ("cancelled", False)
        assert record["messages"] == [["user", ASK]]
        assert record["model"] == face.parts.active.all[0].adapter.version
        assert counted(face, "cancelled") == 1


async def test_a_routed_call_cancelled_at_its_server_is_recorded_as_cancelled(
    mode: Any, tmp_path: Path
) -> None:
    script = desk(tmp_path / "desk")
    server = script.folder / "server.py"
    server.write_text(server.read_text().replace('if name == "hang"', 'if name == "track_order"'))
    config = settings(tmp_path, script.config())
    async with gateway(config) as face, face.client(mode, "/mcp/support") as client:
        calling = asyncio.create_task(client.call_tool("route", {"request": ASK}))
        async with asyncio.timeout(PATIENCE_S):
            while "tools/call" not in script.seen():
                await asyncio.sleep(0.01)
            calling.cancel()
            while "notifications/cancelled" not in script.seen():
                await asyncio.sleep(0.01)
        [record] = await recorded(face)
        assert (record["outcome"], record["dispatched"], record["calls"]) == (
            "cancelled", True, [TRACK],
        )  # fmt: skip
        assert counted(face, "cancelled") == 1
