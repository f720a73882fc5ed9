"""What a server says while it works reaches the agent that asked, and nobody else."""

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import httpx
from mcp.types import CreateMessageResult, ElicitResult, TextContent

from gateway.config import AdapterConfig, DriftConfig, EngineConfig, MeasureConfig
from gateway.faces.mcp.session import AgentSession
from gateway.types import Toolset
from tests.adapters import support_toolset, write_adapter
from tests.gateway.faces.mcp.serving import Able, behind, modern, modern_headers, text
from tests.gateway.toolsets.upstream_doubles import PATIENCE_S, LiveServer


async def test_progress_arrives_in_order_under_the_agent_s_own_token(
    mode: Any, tmp_path: Path
) -> None:
    heard: list[Any] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, total, message))

    async with behind(Able(), tmp_path=tmp_path) as face, face.client(mode) as client:
        result = await client.call_tool("steps", {}, progress_callback=on_progress)
        assert text(result) == "done"
        assert heard == [(n, 3, f"step {n}") for n in (1, 2, 3)]


async def test_log_lines_reach_the_agent_that_asked_and_no_other(mode: Any, tmp_path: Path) -> None:
    heard: dict[str, list[Any]] = {"one": [], "two": []}

    def listener(name: str) -> Any:
        async def on_log(params: Any) -> None:
            heard[name].append((params.level, params.data))

        return on_log

    async with (
        behind(Able(), tmp_path=tmp_path) as face,
        face.client(mode, logging_callback=listener("one"), log_level="debug") as one,
        face.client(mode, logging_callback=listener("two"), log_level="debug") as two,
    ):
        await one.call_tool("log", {})
        assert heard == {"one": [("debug", "debug words"), ("warning", "warning words")], "two": []}
        await two.call_tool("log", {})
        assert len(heard["two"]) == 2


async def test_agents_that_listen_leave_requests_their_room(tmp_path: Path) -> None:
    async with (
        behind(Able(), tmp_path=tmp_path, limits={"concurrent_requests": 2}) as face,
        face.client("auto") as client,
        client.listen(tools_list_changed=True),
        client.listen(tools_list_changed=True),
    ):
        assert text(await client.call_tool("echo", {"text": "a"})) == "a"


async def test_a_modern_agent_gets_only_the_levels_it_asked_for(tmp_path: Path) -> None:
    heard: list[str] = []

    async def on_log(params: Any) -> None:
        heard.append(params.level)

    async with (
        behind(Able(), tmp_path=tmp_path) as face,
        face.client("auto", logging_callback=on_log, log_level="warning") as client,
    ):
        await client.call_tool("log", {})
        assert heard == ["warning"]


async def test_a_log_level_reaches_the_server_of_the_agent_s_session(tmp_path: Path) -> None:
    server = Able()
    async with (
        behind(server, tmp_path=tmp_path) as face,
        face.client("legacy") as client,
        face.client("legacy") as other,
    ):
        await client.session.set_logging_level("error")
        await client.call_tool("echo", {"text": "a"})
        await other.call_tool("echo", {"text": "a"})
        assert server.levels == ["error"]


async def test_a_server_may_ask_the_agent_s_user(mode: Any, tmp_path: Path) -> None:
    server = Able()

    async def answer(context: Any, params: Any) -> ElicitResult:
        assert params.message == "Who?"
        return ElicitResult(action="accept", content={"name": "Ada"})

    async with (
        behind(server, tmp_path=tmp_path) as face,
        face.client(mode, elicitation_callback=answer) as client,
    ):
        result = await client.call_tool("ask", {})
        state = "" if mode == "legacy" else " asked"
        assert text(result) == f"hello {{'name': 'Ada'}}{state}"
        assert server.called == ["ask"] * (1 if mode == "legacy" else 2)


async def test_a_server_may_ask_the_agent_s_model_in_the_handshake_era(tmp_path: Path) -> None:
    async def sample(context: Any, params: Any) -> CreateMessageResult:
        content = TextContent(type="text", text="four")
        return CreateMessageResult(role="assistant", content=content, model="m")

    async with (
        behind(Able(), tmp_path=tmp_path) as face,
        face.client("legacy", sampling_callback=sample) as client,
    ):
        assert text(await client.call_tool("sample", {})) == "it said four"


async def test_a_cancelled_call_is_cancelled_at_its_server(mode: Any, tmp_path: Path) -> None:
    server = Able()
    async with (
        behind(server, tmp_path=tmp_path) as face,
        face.client(mode) as client,
        asyncio.timeout(PATIENCE_S),
    ):
        calling = asyncio.create_task(client.call_tool("wait", {}))
        await server.begun.wait()
        calling.cancel()
        await server.cancelled.wait()
        assert text(await client.call_tool("echo", {"text": "still here"})) == "still here"


async def test_an_agent_that_hangs_up_in_the_middle_cancels_its_call(tmp_path: Path) -> None:
    server = Able()
    async with behind(server, tmp_path=tmp_path) as face, asyncio.timeout(PATIENCE_S):
        async with httpx.AsyncClient(timeout=None) as client:
            body = modern("tools/call", {"name": "wait", "arguments": {}})
            posting = asyncio.create_task(
                client.post(face.url(), json=body, headers=modern_headers("tools/call", "wait"))
            )
            await server.begun.wait()
            posting.cancel()
        await server.cancelled.wait()


async def test_a_drift_warning_reaches_sessions_without_the_words_of_the_server(
    tmp_path: Path,
) -> None:
    server, heard = LiveServer("old"), list[Any]()
    told = asyncio.Event()

    async def on_log(params: Any) -> None:
        heard.append(params)
        told.set()

    trained = Toolset("live", (*support_toolset().tools, *server.tools))
    adapter = AdapterConfig(folder=write_adapter(tmp_path / "adapter", trained))
    async with (
        behind(server, tmp_path=tmp_path, adapters=(adapter,)) as face,
        face.client("legacy", logging_callback=on_log),
        asyncio.timeout(PATIENCE_S),
    ):
        number = 0
        while not told.is_set():  # the client opens its stream for news at its own pace
            number += 1
            await server.change(f"new{number}")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(told.wait(), 0.5)
    assert (heard[0].level, heard[0].logger) == ("warning", "pointsman")
    event = heard[0].data
    assert (event["event"], event["grade"], event["toolset"]) == (
        "toolset_drift", "removed", "live",
    )  # fmt: skip
    assert {"tool": "track_order", "grade": "removed"} in event["tools"]
    assert all(set(tool) <= {"tool", "grade", "renamed_to"} for tool in event["tools"])


async def test_what_a_drift_costs_reaches_sessions_without_other_people_s_requests(
    tmp_path: Path,
) -> None:
    server, heard = LiveServer("old"), list[Any]()
    told = asyncio.Event()

    async def on_log(params: Any) -> None:
        if params.data["event"] == "toolset_drift_impact":
            heard.append(params)
            told.set()

    trained = Toolset("live", (*support_toolset().tools, *server.tools))
    adapter = AdapterConfig(folder=write_adapter(tmp_path / "adapter", trained))
    row = {"request": "hello", "target": {"tool": "no_tool", "reason": "chat"}}
    (adapter.folder / "eval.jsonl").write_text(json.dumps(row))
    measure = MeasureConfig(folder=tmp_path / "impact", quiet_s=0)
    more: dict[str, Any] = {
        "adapters": (adapter,), "engine": EngineConfig(kind="scripted"),
        "drift": DriftConfig(measure=measure),
    }  # fmt: skip
    async with (
        behind(server, tmp_path=tmp_path, **more) as face,
        face.client("legacy", logging_callback=on_log),
        asyncio.timeout(PATIENCE_S),
    ):
        number = 0
        while not told.is_set():  # the client opens its stream for news at its own pace
            number += 1
            await server.change(f"new{number}")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(told.wait(), 0.5)
    event = heard[0].data
    assert (event["toolset"], event["measured"]) == (
        "live", "exact 100.0 % -> 100.0 % (of 1 rows)",
    )  # fmt: skip
    assert "hello" not in json.dumps(event)


async def test_a_session_that_wants_errors_alone_is_spared_the_warnings() -> None:
    session = AgentSession(None)
    assert session.wants("debug")
    await session.set_level({"level": "error"})
    assert [level for level in ("warning", "error", "alert") if session.wants(level)] == [
        "error", "alert",
    ]  # fmt: skip
