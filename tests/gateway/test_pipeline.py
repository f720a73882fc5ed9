"""The request flow against live servers: what each request comes to, and what is kept of it."""

from pathlib import Path
from typing import Any

import pytest
from mcp.types import Tool

from gateway.engines.base import Prompt
from gateway.engines.scripted import ScriptedEngine
from gateway.errors import EngineDown, UnknownModel, UpstreamDown
from gateway.pipeline import RouteRequest
from gateway.types import Call, Message, Outcome, ReasonCode, Toolset
from tests.adapters import support_toolset, write_adapter
from tests.gateway.serving import ASK, TRACK, desk, dispatched, served, settings, tell_desk
from tests.gateway.toolsets.upstream_doubles import text_of


def asking(text: str = ASK, **more: Any) -> RouteRequest:
    return RouteRequest((Message("user", text),), "rest", **more)


async def outcome_of(
    tmp_path: Path, answer: Any, revision: Any = 1, text: str = ASK, **request: Any
) -> tuple[Outcome, ReasonCode | None]:
    """What one request with dispatch comes to; what is not a call reaches no server."""
    script = desk(tmp_path / "desk", revision)
    engine = ScriptedEngine(lambda _: answer)
    async with served(settings(tmp_path, script.config()), engine) as gateway:
        reply = await gateway.parts.pipeline.handle(asking(text, dispatch=True, **request))
        made = dispatched(script)
    assert made == len(reply.decision.calls)
    assert (reply.results is not None) == (reply.decision.outcome == "call")
    return reply.decision.outcome, reply.decision.reason_code


def refund(**arguments: Any) -> dict[str, Any]:
    return {"tool": "request_refund", "arguments": {"order_id": "ORD-1234", **arguments}}


@pytest.mark.parametrize(
    ("answer", "outcome", "code"),
    [
        (TRACK, "call", None),
        ({"calls": [TRACK, refund(reason="broken")]}, "call", None),
        ({"tool": "no_tool", "reason": "need order_id"}, "no_tool", None),
        ("not JSON", "invalid", "parse"),
        ({"tool": "track_order"}, "invalid", "parse"),
        (refund(), "invalid", "schema"),
        ({"tool": "made_up", "arguments": {}}, "invalid", "schema"),
        ({"tool": "track_order", "arguments": {"order_id": "ORD-9999"}}, "abstained",
         "not_grounded"),
        ({"calls": [TRACK, refund()]}, "invalid", "schema"),
        ('{"tool": "track_order", "arguments": {"order_id": "\\ud800"}}', "invalid", "schema"),
        ('{"tool": "track_order", "arguments": {"order_id": NaN}}', "invalid", "parse"),
    ],
)  # fmt: skip
async def test_an_answer_is_judged_before_anything_runs(
    tmp_path: Path, answer: Any, outcome: Outcome, code: ReasonCode | None
) -> None:
    assert await outcome_of(tmp_path, answer) == (outcome, code)


@pytest.mark.parametrize(
    ("answer", "outcome", "code"),
    [
        (TRACK, "call", None),
        (refund(reason="broken"), "abstained", "drift"),
        ({"tool": "check_stock", "arguments": {"sku": "SKU-MUG12"}}, "abstained", "drift"),
        ({"tool": "stock_level", "arguments": {"sku": "SKU-MUG12"}}, "invalid", "schema"),
        ({"tool": "gift_wrap", "arguments": {"order_id": "ORD-1234"}}, "invalid", "schema"),
    ],
)
async def test_a_drifted_tool_is_masked_and_an_unseen_one_never_called(
    tmp_path: Path, answer: Any, outcome: Outcome, code: ReasonCode | None
) -> None:
    text = "where is ORD-1234 with SKU-MUG12?"
    assert await outcome_of(tmp_path, answer, 2, text) == (outcome, code)


@pytest.mark.parametrize(
    ("threshold", "outcome"), [(None, "call"), (0.87, "call"), (0.9, "abstained"), (0.0, "call")]
)
async def test_the_threshold_of_a_request_replaces_the_manifests(
    tmp_path: Path, threshold: float | None, outcome: Outcome
) -> None:
    # The adapter's calibration makes 0.88 of an answer that the engine is sure of.
    found, _ = await outcome_of(tmp_path, TRACK, threshold=threshold)
    assert found == outcome


async def test_the_prompt_holds_the_trained_toolset_whatever_is_live(tmp_path: Path) -> None:
    prompts: list[Prompt] = []
    for name, revision in (("one", 1), ("two", 2)):
        engine = ScriptedEngine({ASK: TRACK})
        script = desk(tmp_path / name / "desk", revision)
        async with served(settings(tmp_path / name, script.config()), engine) as gateway:
            await gateway.parts.pipeline.handle(asking())
        prompts += engine.prompts
    first, second = prompts
    assert first == second


async def test_without_dispatch_nothing_runs(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, script.config())) as gateway:
        reply = await gateway.parts.pipeline.handle(asking())
        assert reply.decision.outcome == "call"
        assert reply.results is None
        assert dispatched(script) == 0


async def test_a_reply_holds_every_member_of_the_contract(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, script.config())) as gateway:
        reply = await gateway.parts.pipeline.handle(asking(dispatch=True))
    body = reply.to_json()
    assert list(body) == [
        "id", "outcome", "calls", "call", "proposal", "reason", "reason_code", "confidence",
        "model", "checks", "results", "usage", "timings_ms",
    ]  # fmt: skip
    assert body["calls"] == [TRACK]
    assert body["call"] == TRACK
    assert body["confidence"] == 0.8808
    assert body["checks"] == {"schema": [], "grounding": [], "drift": "none"}
    assert body["results"][0]["content"][0]["text"] == 'track_order{"order_id": "ORD-1234"}'
    assert set(body["usage"]) == {"prompt_tokens", "completion_tokens"}
    assert set(body["timings_ms"]) == {"route", "validate", "dispatch", "total"}


async def test_every_request_is_kept_with_what_became_of_it(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    script.tell_pages([{"name": "track_order", "inputSchema": {"type": "object"}}])
    async with served(settings(tmp_path, script.config())) as gateway:
        pipeline, records = gateway.parts.pipeline, gateway.parts.records
        reply = await pipeline.handle(asking("nothing to do"))
        (kept,) = await records.calls()
    assert kept["id"] == reply.id
    assert (kept["face"], kept["outcome"], kept["dispatched"]) == ("rest", "no_tool", False)
    assert kept["messages"] == [["user", "nothing to do"]]
    assert kept["trained_fingerprint"] == support_toolset().fingerprint
    assert kept["live_fingerprint"] not in (None, kept["trained_fingerprint"])


async def test_a_failed_dispatch_is_raised_and_kept(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    script.tell_pages([{"name": "die", "inputSchema": {"type": "object"}}])
    config = settings(tmp_path, script.config(), adapter=False)
    engine = ScriptedEngine(lambda _: {"tool": "die", "arguments": {}})
    die = Tool(name="die", input_schema={"type": "object"})
    folder = write_adapter(tmp_path / "made", Toolset("support", (die,)))
    async with served(config, engine) as gateway:
        await gateway.parts.swap.activate(await gateway.parts.store.add(folder))
        with pytest.raises(UpstreamDown):
            await gateway.parts.pipeline.handle(asking(dispatch=True))
        (kept,) = await gateway.parts.records.calls()
    assert kept["outcome"] == "call"
    assert "server script" in kept["failure"]


async def test_a_toolset_that_has_not_been_listed_is_down(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    script.tell_pages({"error": "no list"})
    async with served(settings(tmp_path, script.config()), listed=False) as gateway:
        with pytest.raises(UpstreamDown, match="support have not listed"):
            await gateway.parts.pipeline.handle(asking())


@pytest.mark.parametrize("model", [None, "", "auto", "support", "VERSION"])
async def test_an_adapter_is_found_by_name_version_toolset_or_auto(
    tmp_path: Path, model: str | None
) -> None:
    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, script.config())) as gateway:
        (active,) = gateway.parts.active.all
        wanted = active.adapter.version if model == "VERSION" else model
        reply = await gateway.parts.pipeline.handle(asking(model=wanted))
        assert reply.model == active.adapter.version
        with pytest.raises(UnknownModel, match="in service: support"):
            await gateway.parts.pipeline.handle(asking(model="gpt-6"))


@pytest.mark.parametrize("policy", ["mask", "warn", "block"])
async def test_the_policy_decides_about_a_breaking_drift(tmp_path: Path, policy: Any) -> None:
    answer = refund(reason="broken", currency="EUR")
    script = desk(tmp_path / "desk", 1)
    config = settings(tmp_path, script.config(), drift_policy=policy)
    async with served(config, ScriptedEngine(lambda _: answer)) as gateway:
        tell_desk(script, 2)
        await gateway.parts.watch.refresh("script")
        request = asking("refund ORD-1234 in EUR")
        if policy == "block":
            with pytest.raises(EngineDown, match="policy is to block"):
                await gateway.parts.pipeline.handle(request)
        else:
            reply = await gateway.parts.pipeline.handle(request)
            assert reply.decision.outcome == {"mask": "abstained", "warn": "call"}[policy]


TRACK_TOOL = support_toolset().by_name["track_order"]


@pytest.mark.parametrize(
    ("tools", "answer", "outcome", "code"),
    [
        ((TRACK_TOOL,), TRACK, "call", None),
        ((TRACK_TOOL,), refund(reason="broken"), "abstained", "policy"),
        ((), TRACK, "abstained", "policy"),
        ((Tool(name="gift", input_schema={"type": "object"}),), {"tool": "gift", "arguments": {}},
         "invalid", "schema"),
        ((Tool(name="track_order", input_schema={"type": "object", "required": ["mail"]}),), TRACK,
         "invalid", "schema"),
        ((Tool(name="track_order", input_schema={"type": "no such type"}),), TRACK,
         "invalid", "schema"),
    ],
    ids=["offered", "not offered", "none offered", "never trained", "own schema", "no schema"],
)  # fmt: skip
async def test_an_agents_own_tools_are_all_that_it_gets(
    tmp_path: Path, tools: tuple[Tool, ...], answer: Any, outcome: Outcome, code: ReasonCode | None
) -> None:
    script = desk(tmp_path / "desk")
    engine = ScriptedEngine(lambda _: answer)
    async with served(settings(tmp_path, script.config()), engine) as gateway:
        reply = await gateway.parts.pipeline.handle(asking(tools=tools))
    assert (reply.decision.outcome, reply.decision.reason_code) == (outcome, code)


async def test_an_agents_own_drift_gives_header_and_metric_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, script.config())) as gateway:
        reply = await gateway.parts.pipeline.handle(asking(tools=(TRACK_TOOL,)))
        metrics = gateway.parts.metrics.text().decode()
    assert reply.drift_header is not None
    assert reply.drift_header.startswith("removed; adapter=support; tools=list_orders,")
    assert reply.decision.outcome == "call"
    assert 'pointsman_agent_tools_drift_total{adapter="support@' in metrics
    assert [r for r in caplog.records if getattr(r, "event", "") == "toolset_drift"] == []


async def test_a_call_without_a_model_is_made_and_kept(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, script.config(), adapter=False)) as gateway:
        result = await gateway.parts.pipeline.call(Call(**TRACK), "mcp")
        (kept,) = await gateway.parts.records.calls()
    assert text_of(result) == 'track_order{"order_id": "ORD-1234"}'
    assert (kept["face"], kept["outcome"], kept["calls"]) == ("mcp", "call", [TRACK])
