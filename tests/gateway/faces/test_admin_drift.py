"""`/admin/drift`: the policy in force, and who answers while an adapter has drifted too far."""

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from gateway.config import AdapterConfig, Config, DriftConfig, RecordsConfig
from gateway.drift_policy import DriftRules
from gateway.engines.scripted import ScriptedEngine
from gateway.types import Toolset
from mcp_servers.support.toolset import toolset as support_revision
from tests.adapters import write_adapter
from tests.gateway.serving import ASK, TRACK, Served, desk, problem_of, served, settings, tell_desk
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


async def test_a_warning_goes_to_the_configured_webhook(tmp_path: Path) -> None:
    got: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        size = int(head.partition("content-length:")[2].split("\r\n")[0])
        got.put_nowait(json.loads(await reader.readexactly(size)))
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(receive, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    hook = {"url": f"http://127.0.0.1:{port}/", "secret": "sixteen or more characters"}
    config = drifted(tmp_path, drift=DriftConfig.model_validate({"webhook": hook}))
    async with server, served(config):
        event = await asyncio.wait_for(got.get(), PATIENCE_S)
    assert (event["event"], event["grade"]) == ("toolset_drift", "removed")
    assert event["masked"] == ["request_refund", "schedule_pickup", "exchange_item", "check_stock"]
