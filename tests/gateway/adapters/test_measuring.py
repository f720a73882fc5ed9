"""What a warned drift costs is measured behind the agents' backs, and joins the warning."""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.config import Config, DriftConfig, EngineConfig, MeasureConfig
from gateway.engines.base import Prompt
from gateway.engines.scripted import Answer, ScriptedEngine
from gateway.errors import EngineDown
from tests.gateway.one_at_a_time import OneAtATime
from tests.gateway.serving import ASK, TRACK, Served, desk, served, settings, tell_desk
from tests.gateway.toolsets.upstream_doubles import PATIENCE_S

PICKUP = {
    "tool": "schedule_pickup",
    "arguments": {"order_id": "ORD-1234", "date": "2026-12-01", "window": "evening"},
}
ROWS: Mapping[str, dict[str, Any]] = {
    ASK: TRACK,
    "pick ORD-1234 up on 2026-12-01 in the evening": PICKUP,
    "hello": {"tool": "no_tool", "reason": "chat"},
}
NEVER_S = 3600.0


def measured_settings(
    tmp_path: Path, revision: Any = 2, rows: Mapping[str, Any] = ROWS, **measured: Any
) -> Config:
    """A desk that has drifted from what the adapter learned, and rows to measure that with."""
    script = desk(tmp_path / "desk", revision)
    measure = {"folder": tmp_path / "impact", "quiet_s": 0, "every_s": NEVER_S, **measured}
    config = settings(
        tmp_path, script.config(), engine=EngineConfig(kind="scripted"),
        drift=DriftConfig(measure=MeasureConfig.model_validate(measure)),
    )  # fmt: skip
    lines = [json.dumps({"request": text, "target": target}) for text, target in rows.items()]
    (config.adapters[0].folder / "eval.jsonl").write_text("\n".join(lines))
    return config


def scripted(
    says: Mapping[str, Answer] | Callable[[Prompt], Answer] = ROWS,
) -> ScriptedEngine:
    return ScriptedEngine(says)


async def settled(gateway: Served) -> None:
    assert gateway.parts.measuring is not None
    await asyncio.wait_for(gateway.parts.measuring.settled(), PATIENCE_S)


async def shown(gateway: Served) -> dict[str, Any]:
    (adapter,) = (await gateway.client.get("/admin/drift")).json()["adapters"]
    return adapter


async def metrics(gateway: Served) -> Mapping[tuple[str, str], float]:
    """(metric, `when`) -> value, of what was measured."""
    text = (await gateway.client.get("/metrics")).text
    return {
        (sample.name, sample.labels.get("when", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("pointsman_drift_") and not sample.name.endswith("_grade")
    }


def events(caplog: pytest.LogCaptureFixture, name: str) -> Sequence[Any]:
    return [record for record in caplog.records if getattr(record, "event", "") == name]


async def test_the_figure_joins_the_warning_in_the_log_the_metrics_and_the_administration(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gateway")
    async with served(measured_settings(tmp_path), scripted()) as gateway:
        await settled(gateway)
        item = await shown(gateway)
        found = await metrics(gateway)
    summary = "exact 100.0 % -> 66.7 %; schedule_pickup 100 -> 0 (of 3 rows)"
    (warning,), (figure,) = events(caplog, "toolset_drift"), events(caplog, "toolset_drift_impact")
    assert (figure.adapter, figure.live_fingerprint) == (warning.adapter, warning.live_fingerprint)
    assert caplog.records.index(warning) < caplog.records.index(figure)
    assert (figure.levelno, figure.measured) == (logging.WARNING, summary)
    assert summary in figure.getMessage()
    (flip,) = figure.flipped
    assert (flip["request"], flip["before"], flip["after"]) == (
        "pick ORD-1234 up on 2026-12-01 in the evening", "call", "abstained",
    )  # fmt: skip
    assert flip["request"] in figure.detail[0]
    assert (item["measured"], item["impact"]["policy"]["exact"]["k"]) == (summary, 2)
    assert item["measuring"] == {"asked": 3, "of": 3, "failed": None}
    assert found == {
        ("pointsman_drift_exact_ratio", "before"): 1,
        ("pointsman_drift_exact_ratio", "drifted"): 0.6667,
        ("pointsman_drift_exact_ratio", "policy"): 0.6667,
        ("pointsman_drift_wrong_calls_ratio", "before"): 0,
        ("pointsman_drift_wrong_calls_ratio", "drifted"): 0,
        ("pointsman_drift_wrong_calls_ratio", "policy"): 0,
        ("pointsman_drift_measured_rows", ""): 3,
        ("pointsman_drift_flipped_rows", ""): 1,
    }


async def test_a_row_is_rendered_as_serving_renders_the_request(tmp_path: Path) -> None:
    engine = scripted()
    async with served(measured_settings(tmp_path), engine) as gateway:
        await settled(gateway)
        replayed = list(engine.prompts)
        engine.prompts.clear()
        for text in ROWS:
            await gateway.route(text)
    assert len(replayed) == len(ROWS)
    assert engine.prompts == replayed


async def test_an_agent_waits_for_one_row_and_never_for_the_whole_replay(tmp_path: Path) -> None:
    engine = OneAtATime(ROWS)
    first, second, third = ROWS
    async with served(measured_settings(tmp_path), engine) as gateway:
        assert await engine.next() == first
        agent = asyncio.create_task(gateway.route("where is ORD-9?"))
        assert await engine.next() == "where is ORD-9?"
        engine.finish(2)
        assert (await agent).status_code == 200
        assert engine.arrived == [first, "where is ORD-9?"]
        assert [await engine.next(), engine.finish()] == [second, None]
        assert [await engine.next(), engine.finish()] == [third, None]
        await settled(gateway)
    assert len(engine.arrived) == 4


async def test_agents_that_never_pause_do_not_keep_a_drift_from_being_measured(
    tmp_path: Path,
) -> None:
    async with served(measured_settings(tmp_path, every_s=0.01), scripted()) as gateway:
        with gateway.parts.active.leases.hold("an agent's"):
            await settled(gateway)
        assert (await shown(gateway))["measured"] is not None


async def test_a_measurement_ends_with_its_drift_and_goes_on_when_the_drift_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = OneAtATime(ROWS)
    config = measured_settings(tmp_path)
    script = desk(tmp_path / "desk", 2)
    async with served(config, engine) as gateway:
        await engine.next()
        tell_desk(script, 1)
        await gateway.parts.watch.refresh("script")
        engine.finish()
        await settled(gateway)
        item = await shown(gateway)
        assert (item["grade"], item["measured"], item["measuring"]) == ("none", None, None)
        assert (await metrics(gateway), len(engine.arrived)) == ({}, 1)
        tell_desk(script, 2)
        engine.finish(2)
        await gateway.parts.watch.refresh("script")
        await settled(gateway)
        assert engine.arrived == list(ROWS)
        assert (await shown(gateway))["measuring"]["asked"] == 3
        for revision in (1, 2):
            tell_desk(script, revision)
            await gateway.parts.watch.refresh("script")
        await settled(gateway)
        assert (await shown(gateway))["measured"] is not None
    assert engine.arrived == list(ROWS)
    assert len(events(caplog, "toolset_drift_impact")) == 1


async def test_a_gateway_that_stops_does_not_wait_and_the_next_one_goes_on(tmp_path: Path) -> None:
    config, engine = measured_settings(tmp_path), OneAtATime(ROWS)
    first, second, third = ROWS
    async with served(config, engine):
        assert await engine.next() == first
        engine.finish()
        assert await engine.next() == second
    later = scripted()
    async with served(config, later) as gateway:
        await settled(gateway)
        assert (await shown(gateway))["impact"]["rows"] == 3
    assert [prompt.messages[-1]["content"] for prompt in later.prompts] == [second, third]


async def test_another_policy_gives_another_figure_without_asking_or_telling_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    refund = "refund ORD-1234, it is broken"
    call = {
        "tool": "request_refund", "arguments": {"order_id": "ORD-1234", "reason": "broken"},
    }  # fmt: skip
    rows, engine = {ASK: TRACK, refund: call}, scripted({ASK: TRACK, refund: call})
    async with served(measured_settings(tmp_path, rows=rows), engine) as gateway:
        await settled(gateway)
        masked = (await shown(gateway))["impact"]
        await gateway.client.put("/admin/drift/policy", json={"policy": "warn"})
        await settled(gateway)
        warned = (await shown(gateway))["impact"]
    assert [found["flipped"][0]["after"] for found in (masked, warned)] == ["abstained", "invalid"]
    assert len(engine.prompts) == 2
    assert len(events(caplog, "toolset_drift_impact")) == 1


async def test_an_adapter_without_rows_is_not_measured_and_that_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(measured_settings(tmp_path, rows={}), scripted()) as gateway:
        await settled(gateway)
        item = await shown(gateway)
        assert (await gateway.route()).status_code == 200
    (event,) = events(caplog, "drift_not_measured")
    assert "no rows to measure with" in event.reason
    assert (item["measured"], item["measuring"]["failed"]) == (None, event.reason)


async def test_an_engine_that_is_down_is_asked_again(tmp_path: Path) -> None:
    failures = iter([True, True, False, True, False])

    def says(prompt: Prompt) -> Answer:
        if next(failures, False):
            raise EngineDown("no replica is ready")
        return ROWS[prompt.messages[-1]["content"]]

    async with served(measured_settings(tmp_path, every_s=0.01), scripted(says)) as gateway:
        await settled(gateway)
        assert (await shown(gateway))["impact"]["before"]["exact"]["k"] == 3


async def test_an_engine_that_stays_down_is_given_up_and_the_answers_are_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def says(prompt: Prompt) -> Answer:
        if prompt.messages[-1]["content"] != ASK:
            raise EngineDown("no replica is ready")
        return TRACK

    async with served(measured_settings(tmp_path, every_s=0.001), scripted(says)) as gateway:
        await settled(gateway)
        item = await shown(gateway)
    assert item["measuring"] == {"asked": 1, "of": 3, "failed": "no replica is ready"}
    assert len(events(caplog, "drift_not_measured")) == 1


async def test_a_silenced_drift_is_measured_when_it_is_warned_of(tmp_path: Path) -> None:
    engine = scripted()
    config = measured_settings(tmp_path, revision=1)
    script = desk(tmp_path / "desk", 1)
    body = {"adapter": "support", "reason": "retraining", "until": "2999-01-01T00:00:00Z"}
    async with served(config, engine) as gateway:
        key = (await gateway.post("/admin/drift/silences", body)).json()["id"]
        tell_desk(script, 2)
        await gateway.parts.watch.refresh("script")
        await settled(gateway)
        item = await shown(gateway)
        assert (item["silenced"], item["measured"], engine.prompts) == (True, None, [])
        await gateway.client.delete(f"/admin/drift/silences/{key}")
        await settled(gateway)
        item = await shown(gateway)
        assert (item["silenced"], item["impact"]["rows"]) == (False, 3)


async def test_the_event_names_ten_rows_at_most_and_agents_are_told_none(tmp_path: Path) -> None:
    rows = {f"stock of SKU-{n:04}": {"tool": "check_stock", "arguments": {"sku": f"SKU-{n:04}"}}
            for n in range(15)}  # fmt: skip
    async with served(measured_settings(tmp_path, rows=rows), scripted(rows)) as gateway:
        await settled(gateway)
        assert gateway.parts.measuring is not None
        (active,) = gateway.parts.active.all
        found = gateway.parts.measuring.found(active.adapter.version)
        shown_rows = (await shown(gateway))["impact"]["flipped"]
    assert found is not None
    assert (found.as_dict()["flips"], len(found.as_dict()["flipped"]), len(shown_rows)) == (
        15, 10, 10,
    )  # fmt: skip
    assert found.detail[-1] == "and 5 more rows flipped"
    assert "SKU-0000" not in json.dumps(found.as_log())
