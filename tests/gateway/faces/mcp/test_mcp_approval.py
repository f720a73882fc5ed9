"""What a person must approve: asked by elicitation in both eras, run once, as it was shown."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.types import INTERNAL_ERROR, ElicitResult, ErrorData, Tool, ToolAnnotations

from gateway.app import build_parts, running
from gateway.config import ApprovalConfig
from gateway.engines.scripted import ScriptedEngine
from gateway.faces.mcp.server import McpServer
from tests.gateway.faces.mcp.serving import Able, Face, behind, gateway, text
from tests.gateway.serving import TRACK, desk, dispatched, settings
from tests.gateway.toolsets.upstream_doubles import PATIENCE_S, LiveServer

YES: dict[str, Any] = {"action": "accept", "content": {"approve": True}}
NO: dict[str, Any] = {"action": "accept", "content": {"approve": False}}
POLICY: dict[str, Any] = {"approval": ApprovalConfig(tools=frozenset({"echo", "ask"}))}
CANCEL: dict[str, Any] = {"tool": "cancel_order", "arguments": {"order_id": "ORD-1234"}}


class User:
    """The person behind a client, with one answer to everything."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[Any] = []

    async def __call__(self, context: Any, params: Any) -> Any:
        self.asked.append(params)
        if isinstance(self.answer, ErrorData):
            return self.answer
        return ElicitResult.model_validate(self.answer)


async def kept(face: Face) -> list[tuple[str, Any]]:
    """Outcome and approval step of every recorded call, oldest first."""
    calls = await face.parts.records.calls()
    return [(c["outcome"], c.get("approval", {}).get("step")) for c in reversed(calls)]


def steps(face: Face) -> dict[str, float]:
    registry = face.parts.metrics.registry
    found = {
        step: registry.get_sample_value("pointsman_approvals_total", {"step": step})
        for step in ("asked", "approved", "denied")
    }
    return {step: count for step, count in found.items() if count}


async def test_a_call_runs_once_when_the_user_accepts_what_is_shown(
    mode: Any, tmp_path: Path
) -> None:
    server, user = Able(), User(YES)
    async with (
        behind(server, tmp_path=tmp_path, **POLICY) as face,
        face.client(mode, elicitation_callback=user) as client,
    ):
        result = await client.call_tool("echo", {"text": "ab", "times": 2})
        assert (text(result), result.is_error) == ("abab", False)
        assert server.called == ["echo"]
        [asked] = user.asked
        assert asked.message == (
            "May echo run on server able, with these arguments?\n"
            '{\n  "text": "ab",\n  "times": 2\n}'
        )
        assert asked.requested_schema["required"] == ["approve"]
        assert asked.requested_schema["properties"]["approve"]["type"] == "boolean"
        records = await face.parts.records.calls()
        before = [] if mode == "legacy" else [("approval_asked", "asked")]
        assert await kept(face) == [*before, ("call", "approved")]
        assert len({record["approval"]["id"] for record in records}) == 1
        assert steps(face) == {"asked": 1, "approved": 1}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (NO, "the answer was no"),
        ({"action": "accept"}, "left empty"),
        ({"action": "accept", "content": {"approve": "true"}}, "the answer was no"),
        ({"action": "accept", "content": {"approve": 1}}, "the answer was no"),
        ({"action": "decline"}, "declined"),
        ({"action": "cancel"}, "dismissed"),
    ],
    ids=["no", "empty", "text", "one", "declined", "dismissed"],
)
async def test_whatever_is_not_a_yes_runs_nothing_and_says_how_to_approve(
    mode: Any, tmp_path: Path, answer: Any, said: str
) -> None:
    server = Able()
    async with (
        behind(server, tmp_path=tmp_path, **POLICY) as face,
        face.client(mode, elicitation_callback=User(answer)) as client,
    ):
        result = await client.call_tool("echo", {"text": "a"})
        assert result.is_error
        assert said in text(result)
        assert "nothing was called. To run it, call again and have the user accept" in text(result)
        assert server.called == []
        assert (await kept(face))[-1] == ("not_approved", "denied")
        assert steps(face) == {"asked": 1, "denied": 1}


async def test_a_client_that_cannot_ask_is_told_how_to_have_it_approved(
    mode: Any, tmp_path: Path
) -> None:
    server = Able()
    async with behind(server, tmp_path=tmp_path, **POLICY) as face, face.client(mode) as client:
        result = await client.call_tool("echo", {"text": "a"})
        assert result.is_error
        for words in ("echo runs only after a person approved", "elicitation", "/v1/responses"):
            assert words in text(result)
        assert server.called == []
        assert await kept(face) == [("not_approved", None)]
        assert text(await client.call_tool("steps", {})) == "done"


async def test_a_client_whose_question_fails_runs_nothing(tmp_path: Path) -> None:
    server, user = Able(), User(ErrorData(code=INTERNAL_ERROR, message="no screen"))
    async with (
        behind(server, tmp_path=tmp_path, **POLICY) as face,
        face.client("legacy", elicitation_callback=user) as client,
    ):
        result = await client.call_tool("echo", {"text": "a"})
        assert result.is_error
        assert "could not ask one: no screen" in text(result)
        assert server.called == []
        assert await kept(face) == [("not_approved", "asked")]


async def test_a_client_that_started_the_gateway_is_asked_as_well(
    mode: Any, tmp_path: Path
) -> None:
    script, user = desk(tmp_path / "desk"), User(YES)
    config = settings(tmp_path, script.config(), approval={"destructive": True})
    parts = build_parts(config, ScriptedEngine())
    async with running(parts):
        await parts.watch.upstream("script").first_listing(PATIENCE_S)
        server = McpServer(parts)
        async with Client(server, mode=mode, cache=None, elicitation_callback=user) as client:
            assert not (await client.call_tool("cancel_order", CANCEL["arguments"])).is_error
    assert (len(user.asked), dispatched(script)) == (1, 1)


async def test_nobody_is_asked_about_a_call_that_is_not_valid(mode: Any, tmp_path: Path) -> None:
    server, user = Able(), User(YES)
    async with (
        behind(server, tmp_path=tmp_path, **POLICY) as face,
        face.client(mode, elicitation_callback=user) as client,
    ):
        result = await client.call_tool("echo", {"text": 1})
        assert "/text" in text(result)
        assert (user.asked, server.called) == ([], [])


async def test_a_destructive_tool_is_asked_about_under_its_prefix(
    mode: Any, tmp_path: Path
) -> None:
    danger = Tool(
        name="wipe",
        input_schema={"type": "object"},
        annotations=ToolAnnotations(destructive_hint=True),
    )
    one, two, user = Able("one"), Able("two", tools=[danger]), User(YES)
    policy = ApprovalConfig(destructive=True)
    async with (
        behind(one, two, tmp_path=tmp_path, approval=policy) as face,
        face.client(mode, elicitation_callback=user) as client,
    ):
        assert text(await client.call_tool("two_wipe", {})) == "wipe"
        assert text(await client.call_tool("one_echo", {"text": "a"})) == "a"
        [asked] = user.asked
        assert asked.message.startswith("May two_wipe run on server two,")


async def test_a_tool_that_asks_back_after_its_approval_is_approved_once(
    mode: Any, tmp_path: Path
) -> None:
    asked: list[str] = []

    async def answer(context: Any, params: Any) -> ElicitResult:
        asked.append(params.message)
        content = {"name": "Ada"} if params.message == "Who?" else {"approve": True}
        return ElicitResult(action="accept", content=content)

    server = Able()
    async with (
        behind(server, tmp_path=tmp_path, **POLICY) as face,
        face.client(mode, elicitation_callback=answer) as client,
    ):
        result = await client.call_tool("ask", {})
        assert text(result).startswith("hello {'name': 'Ada'}")
        assert asked == ["May ask run on server able, with these arguments?\n{}", "Who?"]
        assert steps(face) == {"asked": 1, "approved": 1}


async def test_a_routed_call_is_asked_about_and_run_as_it_was_shown(
    mode: Any, tmp_path: Path
) -> None:
    script, user = desk(tmp_path / "desk"), User(YES)
    config = settings(tmp_path, script.config(), approval={"destructive": True})
    engine = ScriptedEngine({"cancel ORD-1234": CANCEL})
    async with (
        gateway(config, engine) as face,
        face.client(mode, "/mcp/support?tools=route", elicitation_callback=user) as client,
    ):
        result = await client.call_tool("route", {"request": "cancel ORD-1234"})
        assert text(result) == 'cancel_order{"order_id": "ORD-1234"}'
        assert dispatched(script) == 1
        assert len(engine.prompts) == 1
        [asked] = user.asked
        assert '"order_id": "ORD-1234"' in asked.message
        told, [first, *_] = result.meta["pointsman/route"], (await face.parts.records.calls())[::-1]
        assert (told["id"], told["outcome"], told["calls"]) == (first["id"], "call", [CANCEL])
        assert first["dispatched"] is (mode == "legacy")
        assert (await kept(face))[-1] == ("call", "approved")


async def test_a_routed_call_that_is_declined_runs_nothing(mode: Any, tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    config = settings(tmp_path, script.config(), approval={"destructive": True})
    engine = ScriptedEngine({"cancel ORD-1234": CANCEL})
    async with gateway(config, engine) as face:
        for more in ({"elicitation_callback": User(NO)}, {}):
            async with face.client(mode, "/mcp/support", **more) as client:
                result = await client.call_tool("route", {"request": "cancel ORD-1234"})
                assert result.is_error
                assert "cancel_order" in text(result)
        assert dispatched(script) == 0
        assert not any(call.get("dispatched") for call in await face.parts.records.calls())


async def test_one_question_shows_all_calls_of_an_answer(mode: Any, tmp_path: Path) -> None:
    script, user = desk(tmp_path / "desk"), User(YES)
    config = settings(tmp_path, script.config(), approval={"destructive": True})
    engine = ScriptedEngine({"where is ORD-1234? then cancel it": {"calls": [TRACK, CANCEL]}})
    async with (
        gateway(config, engine) as face,
        face.client(mode, "/mcp/support", elicitation_callback=user) as client,
    ):
        result = await client.call_tool("route", {"request": "where is ORD-1234? then cancel it"})
        assert [block.text.partition("{")[0] for block in result.content] == [
            "track_order", "cancel_order",
        ]  # fmt: skip
        [asked] = user.asked
        assert asked.message.startswith("May these 2 calls run, in this order?\n\n1. track_order")
        assert dispatched(script) == 2


async def test_a_tool_that_changed_while_the_user_thought_does_not_run(
    mode: Any, tmp_path: Path
) -> None:
    server = LiveServer("wipe")

    async with behind(server, tmp_path=tmp_path, approval={"tools": ["wipe"]}) as face:

        async def answer(context: Any, params: Any) -> ElicitResult:
            server.tools = [Tool(name="wipe", description="All.", input_schema={"type": "object"})]
            while face.parts.watch.catalog.entries["wipe"].tool.description is None:
                await face.parts.watch.refresh("live")
            return ElicitResult.model_validate(YES)

        async with face.client(mode, elicitation_callback=answer) as client:
            result = await client.call_tool("wipe", {})
            assert result.is_error
            assert "wipe changed since a person was asked" in text(result)
            assert server.called == []


async def test_a_call_cancelled_while_the_user_thinks_does_not_run(tmp_path: Path) -> None:
    server, thinking = Able(), asyncio.Event()

    async def think(context: Any, params: Any) -> ElicitResult:
        thinking.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with (
        behind(server, tmp_path=tmp_path, **POLICY) as face,
        face.client("legacy", elicitation_callback=think) as client,
        asyncio.timeout(PATIENCE_S),
    ):
        calling = asyncio.create_task(client.call_tool("echo", {"text": "a"}))
        await thinking.wait()
        calling.cancel()
        while not (found := await kept(face)):
            await asyncio.sleep(0)
        assert found == [("cancelled", "asked")]
        assert server.called == []
