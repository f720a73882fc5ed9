"""Two gateways over one file of records: what one is told to do, the other does too."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from gateway.config import Config, DriftConfig, RecordsConfig, ServerConfig
from gateway.engines.base import Proof
from gateway.engines.scripted import ScriptedEngine
from gateway.errors import EngineDown
from gateway.records import Records
from gateway.toolsets.held import Held
from tests.adapters import write_adapter
from tests.gateway.receiver import receiver
from tests.gateway.serving import (
    ASK,
    TRACK,
    Served,
    desk,
    problem_of,
    served,
    settings,
    tell_desk,
)
from tests.gateway.toolsets.upstream_doubles import PATIENCE_S, LiveServer, Script, http

ON_DEMAND_S = 3600.0
SILENCE = {"adapter": "support", "reason": "retraining", "until": "2999-01-01T00:00:00Z"}


class Fallible(ScriptedEngine):
    """An engine that loads nothing while it is `down`."""

    down = False

    async def load(self, version: str, folder: Path, proof: Proof | None = None) -> None:
        if self.down:
            raise EngineDown("no replica is ready")
        await super().load(version, folder, proof)


def sharing(tmp_path: Path, script: Script, follow_s: float = ON_DEMAND_S, **server: Any) -> Config:
    records = RecordsConfig(path=str(tmp_path / "records.sqlite"), follow_s=follow_s)
    return settings(tmp_path, script.config(**server), records=records)


@asynccontextmanager
async def two(config: Config) -> AsyncIterator[tuple[Served, Served]]:
    async with served(config) as one, served(config) as other:
        yield one, other


async def look(gateway: Served) -> None:
    """What a gateway does every `follow_s` seconds."""
    await gateway.parts.following.look()


def warnings(caplog: pytest.LogCaptureFixture) -> int:
    found = [(getattr(r, "event", ""), r.levelno) for r in caplog.records]
    return found.count(("toolset_drift", logging.WARNING))


def held_by(gateway: Served) -> list[Held]:
    return list(gateway.parts.watch.catalog.held.values())


async def test_a_policy_set_at_one_gateway_is_followed_by_the_other(tmp_path: Path) -> None:
    async with two(sharing(tmp_path, desk(tmp_path / "desk", 2))) as (one, other):
        await one.client.put("/admin/drift/policy", json={"policy": "block"})
        assert (await other.route()).status_code == 200
        await look(other)
        assert problem_of(await other.route())["status"] == 503
        shown = (await other.client.get("/admin/drift/policy")).json()
        assert (shown["policy"], shown["set_by"]) == ("block", "admin")
        await other.client.delete("/admin/drift/policy")
        await look(one)
        assert (await one.route()).status_code == 200


async def test_the_other_gateway_is_followed_without_being_asked(tmp_path: Path) -> None:
    async with two(sharing(tmp_path, desk(tmp_path / "desk", 2), 0.01)) as (one, other):
        followed = asyncio.Event()

        async def note() -> None:
            if other.parts.drift_policy.wanted is not None:
                followed.set()

        other.parts.following.on_change(note)
        await one.client.put("/admin/drift/policy", json={"policy": "block"})
        await asyncio.wait_for(followed.wait(), PATIENCE_S)
        assert (await other.route()).status_code == 503


async def test_what_another_policy_warns_of_is_told_by_both_at_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    quiet = {"grades": dict.fromkeys(
        ("description", "compatible", "added", "breaking", "renamed", "removed"), "log"
    )}  # fmt: skip
    script = desk(tmp_path / "desk")
    async with two(sharing(tmp_path, script)) as (one, other):
        await one.client.put("/admin/drift/policy", json=quiet)
        await look(other)
        tell_desk(script, 2)
        for gateway in (one, other):
            await gateway.parts.watch.refresh("script")
        assert warnings(caplog) == 0
        await one.client.delete("/admin/drift/policy")
        assert warnings(caplog) == 1
        await look(other)
        await look(other)
        assert warnings(caplog) == 2


async def test_a_silence_begun_or_ended_at_one_gateway_counts_at_the_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    script = desk(tmp_path / "desk")
    async with two(sharing(tmp_path, script)) as (one, other):
        key = (await one.post("/admin/drift/silences", SILENCE)).json()["id"]
        await look(other)
        assert list(other.parts.silences.all) == [key]
        tell_desk(script, 2)
        await other.parts.watch.refresh("script")
        assert warnings(caplog) == 0
        assert (await one.client.delete(f"/admin/drift/silences/{key}")).status_code == 200
        await look(other)
        assert warnings(caplog) == 1
        gone = await other.client.delete(f"/admin/drift/silences/{key}")
        assert problem_of(gone)["status"] == 404


async def test_of_two_gateways_that_warn_of_one_drift_one_sends_it_to_the_webhook(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    script = desk(tmp_path / "desk")
    async with receiver() as (hook, got):
        shared = sharing(tmp_path, script)
        drift = DriftConfig.model_validate({"webhook": hook})
        async with two(shared.model_copy(update={"drift": drift})) as gateways:
            tell_desk(script, 2)
            for gateway in gateways:
                await gateway.parts.watch.refresh("script")
            assert warnings(caplog) == 2
            for gateway in gateways:
                assert gateway.parts.webhook is not None
                await gateway.parts.webhook.settled()
        assert [got.get_nowait()["event"] for _ in range(got.qsize())] == ["toolset_drift"]


async def test_a_definition_approved_at_one_gateway_is_offered_by_the_other(
    tmp_path: Path,
) -> None:
    script = desk(tmp_path / "desk")
    async with two(sharing(tmp_path, script, hold_changes=True)) as (one, other):
        tell_desk(script, 2)
        for gateway in (one, other):
            await gateway.parts.watch.refresh("script")
        names = {held.name for held in held_by(other)}
        assert {"request_refund", "stock_level"} <= names
        for gateway, name in ((one, "request_refund"), (other, "stock_level")):
            (held,) = [held for held in held_by(gateway) if held.name == name]
            body = {"fingerprint": held.fingerprint}
            approved = await gateway.post(f"/admin/tools/{name}/approve", body)
            assert approved.status_code == 200
        for gateway in (one, other):
            await look(gateway)
            assert {held.name for held in held_by(gateway)} == names - {
                "request_refund", "stock_level",
            }  # fmt: skip
            assert "stock_level" in gateway.parts.watch.catalog.entries


async def test_a_server_registered_or_removed_at_one_gateway_is_so_at_the_other(
    tmp_path: Path,
) -> None:
    async with (
        http(LiveServer("live").streamable_http_app()) as port,
        two(sharing(tmp_path, desk(tmp_path / "desk"))) as (one, other),
    ):
        config = {"name": "live", "url": f"http://127.0.0.1:{port}/mcp", "prefix": "live_"}
        assert (await one.post("/admin/servers", config)).status_code == 201
        for gateway in (one, other, other):
            await look(gateway)
        await other.parts.watch.upstream("live").first_listing(PATIENCE_S)
        shown = (await other.client.get("/admin/servers")).json()["servers"]
        assert [(s["name"], s["configured"]) for s in shown] == [
            ("script", True), ("live", False),
        ]  # fmt: skip
        assert any(name.startswith("live_") for name in other.parts.watch.catalog.entries)
        assert (await other.client.delete("/admin/servers/live")).status_code == 200
        for gateway in (one, other):
            await look(gateway)
            names = [u.name for u in gateway.parts.watch.upstreams]
            assert names == ["script"]
        assert not any(name.startswith("live_") for name in one.parts.watch.catalog.entries)


async def test_a_server_that_is_being_registered_is_not_taken_for_one_that_was_removed(
    tmp_path: Path,
) -> None:
    async with (
        http(LiveServer("live").streamable_http_app()) as port,
        two(sharing(tmp_path, desk(tmp_path / "desk"))) as (one, other),
    ):
        config = ServerConfig(name="live", url=f"http://127.0.0.1:{port}/mcp")
        await one.parts.watch.register(config)
        await other.client.put("/admin/drift/policy", json={"policy": "warn"})
        await look(one)
        assert one.parts.watch.upstream("live").listing is not None


async def test_a_removed_server_s_approvals_go_with_it_at_every_gateway(tmp_path: Path) -> None:
    server = LiveServer("live")
    async with (
        http(server.streamable_http_app()) as port,
        two(sharing(tmp_path, desk(tmp_path / "desk"))) as (one, other),
    ):
        config = {
            "name": "live", "url": f"http://127.0.0.1:{port}/mcp", "prefix": "live_",
            "hold_changes": True,
        }  # fmt: skip
        await one.post("/admin/servers", config)
        await one.parts.watch.holds.close()
        await look(other)
        await other.parts.watch.upstream("live").first_listing(PATIENCE_S)
        await one.client.delete("/admin/servers/live")
        await look(other)
        await server.change("another")
        await one.post("/admin/servers", config)
        await one.parts.watch.holds.close()
        await look(other)
        await other.parts.watch.upstream("live").first_listing(PATIENCE_S)
        assert (held_by(one), held_by(other)) == ([], [])


async def test_a_version_activated_or_rolled_back_at_one_gateway_answers_at_the_other(
    tmp_path: Path,
) -> None:
    async with two(sharing(tmp_path, desk(tmp_path / "desk"))) as (one, other):
        old = (await one.route()).json()["model"]
        folder = write_adapter(tmp_path / "new", rank=32)
        await one.post("/admin/adapters", {"folder": str(folder)})
        new = (await one.client.post("/admin/adapters/support/activate")).json()["version"]
        assert new != old
        assert (await other.route()).json()["model"] == old
        for _ in range(2):
            await look(other)
        assert (await other.route()).json()["model"] == new
        assert set(other.parts.store.adapters) == {old, new}
        assert new in cast(ScriptedEngine, other.parts.engine).loaded
        assert (await other.client.post("/admin/adapters/support/rollback")).status_code == 200
        await look(one)
        assert (await one.route()).json()["model"] == old
        await one.client.delete(f"/admin/adapters/{new}")


async def test_a_trial_is_under_way_at_every_gateway_until_one_ends_it(tmp_path: Path) -> None:
    async with two(sharing(tmp_path, desk(tmp_path / "desk"))) as (one, other):
        folder = write_adapter(tmp_path / "new", rank=32)
        await one.post("/admin/adapters", {"folder": str(folder)})
        await one.post("/admin/adapters/support/activate", {"canary": 10})
        await look(other)
        trial = other.parts.active.trial("support")
        assert trial is not None
        assert trial == one.parts.active.trial("support")
        await other.client.put("/admin/drift/policy", json={"policy": "warn"})
        await look(other)
        assert other.parts.active.trial("support") is trial  # its counts go on
        await other.client.post("/admin/adapters/support/promote")
        await look(one)
        assert one.parts.active.trial("support") is None
        assert (await one.route()).json()["model"] == trial.adapter.version


async def test_a_gateway_that_starts_changes_nothing_of_what_the_others_have(
    tmp_path: Path,
) -> None:
    config = sharing(tmp_path, desk(tmp_path / "desk"))
    async with served(config) as one:
        await one.post("/admin/adapters", {"folder": str(write_adapter(tmp_path / "new", rank=32))})
        await one.post("/admin/adapters/support/activate", {"shadow": True})
        before = await one.parts.records.active(), await one.parts.records.revision()
        async with served(config) as other:
            await look(other)
            assert other.parts.active.trial("support") == one.parts.active.trial("support")
            assert (await other.parts.records.active(), await other.parts.records.revision()) == (
                before
            )


async def test_an_engine_that_is_down_is_given_what_it_lacks_when_it_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = Fallible({ASK: TRACK})
    config = sharing(tmp_path, desk(tmp_path / "desk"))
    async with served(config) as one, served(config, engine) as other:
        folder = write_adapter(tmp_path / "new", rank=32)
        await one.post("/admin/adapters", {"folder": str(folder)})
        new = (await one.client.post("/admin/adapters/support/activate")).json()["version"]
        engine.down = True
        for _ in range(2):
            await look(other)
        assert (await other.route()).json()["model"] != new
        events = [getattr(record, "event", "") for record in caplog.records]
        assert events.count("state_not_followed") == 1
        engine.down = False
        await look(other)
        assert (await other.route()).json()["model"] == new


async def test_a_version_that_is_broken_here_is_said_so_and_the_old_one_answers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with two(sharing(tmp_path, desk(tmp_path / "desk"))) as (one, other):
        old = (await one.route()).json()["model"]
        folder = write_adapter(tmp_path / "new", rank=32)
        await one.post("/admin/adapters", {"folder": str(folder)})
        new = (await one.client.post("/admin/adapters/support/activate")).json()["version"]
        await look(one)
        (one.parts.store.adapters[new].folder / "report.json").write_text("changed")
        for _ in range(2):
            await look(other)
        assert (await other.route()).json()["model"] == old
        assert f"{new}: the folder was changed after it came in" in caplog.text


async def test_of_two_gateways_that_trust_a_first_list_the_first_one_counts(
    tmp_path: Path,
) -> None:
    script = desk(tmp_path / "desk")
    config = sharing(tmp_path, script, hold_changes=True)
    async with served(config) as one:
        await one.parts.watch.holds.close()  # what it trusted is kept
        trusted = await one.parts.records.kept("approved_tools")
        async with served(config, listed=False) as other:
            tell_desk(script, 2)
            await other.parts.watch.refresh("script")
            await other.parts.watch.holds.close()
            assert {"request_refund", "stock_level"} <= {held.name for held in held_by(other)}
        assert await one.parts.records.kept("approved_tools") == trusted


async def test_a_change_of_one_value_is_made_of_what_another_gateway_kept(tmp_path: Path) -> None:
    path = str(tmp_path / "records.sqlite")
    one, other = Records(path), Records(path)
    for records in (one, other):
        await records.open()

    def add(name: str) -> Any:
        return lambda kept: [*(kept or ()), name]

    await asyncio.gather(*(r.amend("k", "v", add(str(n))) for n in range(20) for r in (one, other)))
    assert sorted((await one.kept("k"))["v"]) == sorted([str(n) for n in range(20)] * 2)
    revision = await one.revision()
    assert await other.amend("k", "v", lambda kept: kept) == (await one.kept("k"))["v"]
    assert await one.revision() == revision == 40
    for records in (one, other):
        await records.close()
