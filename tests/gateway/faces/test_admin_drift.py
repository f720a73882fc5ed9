"""`/admin/drift`: the policy in force, and who answers while an adapter has drifted too far."""

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from gateway.config import AdapterConfig, Config, DriftConfig, EngineConfig, RecordsConfig
from gateway.drift_policy import DriftRules
from gateway.engines.scripted import ScriptedEngine
from gateway.types import Toolset
from mcp_servers.support.toolset import toolset as support_revision
from tests.adapters import write_adapter
from tests.gateway.receiver import receiver
from tests.gateway.serving import (
    ASK,
    TRACK,
    Served,
    desk,
    on_wire,
    problem_of,
    served,
    settings,
    tell_desk,
)
from tests.gateway.toolsets.upstream_doubles import PATIENCE_S, Script

REFUND = {"tool": "request_refund", "arguments": {"order_id": "ORD-1234", "reason": "broken"}}


def drifted(tmp_path: Path, script: Script | None = None, **more: Any) -> Config:
    script = script or desk(tmp_path / "desk", 2)
    return settings(tmp_path, script.config(), **more)


async def refund(gateway: Served, **body: Any) -> Any:
    return (await gateway.route("refund ORD-1234, it is broken", **body)).json()


async def test_a_policy_set_by_an_administrator_is_in_force_at_once_and_after_a_restart(
    tmp_path: Path,
) -> None:
    records = RecordsConfig(path=str(tmp_path / "records.sqlite"))
    config = drifted(tmp_path, records=records)
    async with served(config) as gateway:
        assert (await gateway.client.get("/admin/drift/policy")).json()["set_by"] == "configuration"
        assert (await gateway.route()).status_code == 200
        answer = await gateway.client.put("/admin/drift/policy", json={"policy": "block"})
        assert (answer.status_code, answer.json()["set_by"]) == (200, "admin")
        blocked = problem_of(await gateway.route())
        assert blocked["status"] == 503
        assert "removed" in blocked["detail"]
    async with served(config) as gateway:
        assert (await gateway.route()).status_code == 503
        answer = await gateway.client.delete("/admin/drift/policy")
        assert (answer.json()["set_by"], answer.json()["policy"]) == ("configuration", "mask")
        assert (await gateway.route()).status_code == 200


async def test_a_policy_that_says_nonsense_is_refused_and_the_old_one_stays(tmp_path: Path) -> None:
    async with served(drifted(tmp_path)) as gateway:
        answer = await gateway.client.put("/admin/drift/policy", json={"grades": {"breaking": "?"}})
        assert problem_of(answer)["status"] == 422
        policy = (await gateway.client.get("/admin/drift/policy")).json()
        assert (policy["policy"], policy["grades"]) == ("mask", {})


async def test_the_rules_of_one_adapters_configuration_count_for_it_alone(tmp_path: Path) -> None:
    config = drifted(tmp_path)
    (adapter,) = config.adapters
    rules = DriftRules(policy="block")
    config = config.model_copy(
        update={"adapters": (AdapterConfig(folder=adapter.folder, drift=rules),)}
    )
    async with served(config) as gateway:
        (active,) = (await gateway.client.get("/admin/drift")).json()["adapters"]
        assert active["action"] == "block"
        assert (await gateway.route()).status_code == 503


async def test_another_adapter_answers_for_one_that_drifted_too_far(tmp_path: Path) -> None:
    live = Toolset("support", support_revision(2).tools)
    other = AdapterConfig(folder=write_adapter(tmp_path / "other", live, name="retrained"))
    config = drifted(tmp_path)
    config = config.model_copy(update={"adapters": (*config.adapters, other)})
    answers = ScriptedEngine(lambda _: REFUND)
    async with served(config, answers) as gateway:
        policy = {"policy": "fallback", "fallback": "retrained"}
        await gateway.client.put("/admin/drift/policy", json=policy)
        response = await gateway.route(model="support")
        assert response.json()["model"].startswith("retrained@")
        assert response.headers["x-pointsman-drift"].startswith("removed; adapter=support; tools=")
        (first, _) = (await gateway.client.get("/admin/drift")).json()["adapters"]
        assert first["answered_by"].startswith("retrained@")
        named = await refund(gateway, model=first["adapter"])
        assert (named["model"], named["reason_code"]) == (first["adapter"], "drift")


async def test_without_another_adapter_falling_back_withholds_the_drifted_tools(
    tmp_path: Path,
) -> None:
    engine = ScriptedEngine({ASK: TRACK, "refund ORD-1234, it is broken": REFUND})
    async with served(drifted(tmp_path, drift_policy="fallback"), engine) as gateway:
        assert (await gateway.route()).json()["outcome"] == "call"
        reply = await refund(gateway)
        assert (reply["outcome"], reply["reason_code"]) == ("abstained", "drift")


async def test_a_drift_is_silenced_listed_and_unsilenced_over_http(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    script = desk(tmp_path / "desk")
    body = {"adapter": "support", "reason": "retraining", "until": "2999-01-01T00:00:00Z"}

    def warned() -> int:
        events = [getattr(record, "event", "") for record in caplog.records]
        levels = [record.levelno for record in caplog.records]
        return list(zip(events, levels, strict=True)).count(("toolset_drift", logging.WARNING))

    async with served(drifted(tmp_path, script)) as gateway:
        made = await gateway.post("/admin/drift/silences", body)
        assert made.status_code == 201
        tell_desk(script, 2)
        await gateway.parts.watch.refresh("script")
        assert warned() == 0
        listed = (await gateway.client.get("/admin/drift/silences")).json()["silences"]
        assert [(item["id"], item["reason"]) for item in listed] == [
            (made.json()["id"], "retraining")
        ]
        await gateway.client.delete(f"/admin/drift/silences/{made.json()['id']}")
        assert warned() == 1
        past = await gateway.post("/admin/drift/silences", {**body, "until": "2001-01-01T00:00Z"})
        assert problem_of(past)["status"] == 422


async def test_a_warning_goes_to_the_configured_webhook_and_so_does_what_the_drift_costs(
    tmp_path: Path,
) -> None:
    async with receiver() as (hook, got):
        drift = {"webhook": hook, "measure": {"folder": tmp_path / "impact", "quiet_s": 0}}
        config = drifted(
            tmp_path, drift=DriftConfig.model_validate(drift), engine=EngineConfig(kind="scripted")
        )
        row = {"request": ASK, "target": TRACK}
        (config.adapters[0].folder / "eval.jsonl").write_text(json.dumps(row))
        async with served(config):
            warning, figure = [await asyncio.wait_for(got.get(), PATIENCE_S) for _ in range(2)]
    assert (warning["event"], warning["grade"]) == ("toolset_drift", "removed")
    assert warning["masked"] == [
        "request_refund", "schedule_pickup", "exchange_item", "check_stock",
    ]  # fmt: skip
    assert (figure["event"], figure["measured"]) == (
        "toolset_drift_impact", "exact 100.0 % -> 100.0 % (of 1 rows)",
    )  # fmt: skip
    same = ("adapter", "live_fingerprint")
    assert [warning[key] for key in same] == [figure[key] for key in same]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"fallback": "nobody"}, "fallback: no adapter 'nobody' is stored; stored: support"),
        (
            {"adapters": {"nobody": {"policy": "warn"}}},
            "adapters: no adapter 'nobody' is stored; stored: support",
        ),
        (
            {"adapters": {"support": {"fallback": "support"}}},
            "adapters.support.fallback: an adapter cannot stand in for itself",
        ),
        ({"grades": {"none": "warn"}}, "/grades/none"),
        ({"grades": {"breaking": "ignore"}}, "/grades/breaking: Input should be 'log', 'warn'"),
        ({"policies": "warn"}, "/policies: Extra inputs are not permitted"),
        ([], "valid dictionary"),
    ],
)
async def test_a_policy_that_could_never_work_is_refused_with_what_is_wrong(
    tmp_path: Path, body: Any, reason: str
) -> None:
    async with served(drifted(tmp_path)) as gateway:
        refused = problem_of(await gateway.client.put("/admin/drift/policy", json=body))
        assert (refused["status"], reason in refused["detail"]) == (422, True), refused["detail"]
        assert (await gateway.client.get("/admin/drift/policy")).json()["set_by"] == "configuration"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"adapter": "suport"}, "adapter: no adapter 'suport' is stored; stored: support"),
        ({"adapter": "support@12345678"}, "no adapter 'support@12345678' is stored"),
        ({"tools": ["track_order", "trak"]}, "tools: adapter support never saw trak"),
        ({"tools": []}, "/tools"),
        ({"grade": "none"}, "/grade"),
        ({"reason": "  "}, "/reason: String should have at least 1 character"),
        ({"until": "2999-01-01T00:00:00"}, "/until: Input should have timezone info"),
        ({"until": "tomorrow"}, "/until"),
        ({"until": "2001-01-01T00:00:00Z"}, "`until` is past"),
        ({"for": "a day"}, "/for: Extra inputs are not permitted"),
    ],
)
async def test_a_silence_that_could_never_count_is_refused_with_what_is_wrong(
    tmp_path: Path, change: Any, reason: str
) -> None:
    async with served(drifted(tmp_path)) as gateway:
        body = {"adapter": "support", "reason": "known", "until": "2999-01-01T00:00:00Z", **change}
        refused = problem_of(await gateway.post("/admin/drift/silences", body))
        assert (refused["status"], reason in refused["detail"]) == (422, True), refused["detail"]
        assert (await gateway.client.get("/admin/drift/silences")).json() == {"silences": []}


async def test_a_silence_may_name_a_tool_that_is_only_offered(tmp_path: Path) -> None:
    async with served(drifted(tmp_path)) as gateway:
        body = {
            "adapter": "support", "tools": ["gift_wrap"], "reason": "known",
            "until": "2999-01-01T00:00:00Z",
        }  # fmt: skip
        assert (await gateway.post("/admin/drift/silences", body)).status_code == 201


async def test_what_a_new_policy_warns_of_and_the_old_one_did_not_is_told_at_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    script, notation = desk(tmp_path / "desk"), {"grades": {"notation": "warn"}}
    tools = on_wire(support_revision(1).tools)
    tools[0]["title"] = "Another title"
    script.tell_pages([{k: v for k, v in tool.items() if k != "outputSchema"} for tool in tools])

    def warned() -> int:
        return sum(
            getattr(record, "event", "") == "toolset_drift" and record.levelno == logging.WARNING
            for record in caplog.records
        )

    async with served(drifted(tmp_path, script)) as gateway:
        (item,) = (await gateway.client.get("/admin/drift")).json()["adapters"]
        assert (item["grade"], item["action"], warned()) == ("notation", "log", 0)
        for _ in range(2):
            await gateway.client.put("/admin/drift/policy", json=notation)
            assert warned() == 1
