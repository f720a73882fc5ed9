"""A version on trial beside the one in service: how it comes, how it goes, and what survives."""

import asyncio
from pathlib import Path

import pytest

from gateway.engines.base import Proof
from gateway.engines.scripted import ScriptedEngine
from gateway.errors import AdapterRefused, Conflict, UnknownAdapter
from tests.gateway.adapters.yard import NO_TOOL, PROBE, yard
from tests.gateway.serving import ASK

CONVERSATIONS = [f"conversation {number}" for number in range(400)]


async def test_a_canary_answers_its_share_and_the_version_in_service_the_rest(
    tmp_path: Path,
) -> None:
    async with yard(tmp_path) as y:
        old, new = await y.add(), await y.add(32)
        await y.swap.activate(old, "desk")
        await y.swap.start_trial(new, "canary", 0.25)
        chosen = [y.active.choose("support", key) for key in CONVERSATIONS]
        tried = [c for c in chosen if c.active.adapter.version == new.version]
        assert {c.active.adapter.version for c in chosen} == {old.version, new.version}
        assert abs(len(tried) - 100) < 27  # three standard deviations
        assert all(c.role == "canary" and c.active.toolset == "desk" for c in tried)
        assert all(y.active.choose(alias, "x") == y.active.choose("support", "x")
                   for alias in ("auto", "desk", None))  # fmt: skip
        assert (y.version, y.loaded) == (old.version, {old.version, new.version})


async def test_a_shadow_answers_nothing(tmp_path: Path) -> None:
    async with yard(tmp_path) as y:
        old, new = await y.add(), await y.add(32)
        await y.swap.activate(old)
        await y.swap.start_trial(new, "shadow")
        chosen = [y.active.choose("support", key) for key in CONVERSATIONS]
        assert {c.active.adapter.version for c in chosen} == {old.version}
        assert all(c.shadow and c.shadow.adapter.version == new.version for c in chosen)


@pytest.mark.parametrize("kind", ["canary", "shadow"])
async def test_a_request_that_names_a_version_is_answered_by_it_and_takes_part_in_no_trial(
    tmp_path: Path, kind
) -> None:
    async with yard(tmp_path) as y:
        old, new = await y.add(), await y.add(32)
        await y.swap.activate(old)
        await y.swap.start_trial(new, kind, 0.5)
        for adapter in (old, new):
            found = [y.active.choose(adapter.version, key) for key in CONVERSATIONS[:20]]
            assert {c.active.adapter.version for c in found} == {adapter.version}
            chosen = y.active.choose(adapter.version, "x")
            assert (chosen.trial, chosen.shadow, chosen.role) == (None, None, "service")


async def test_a_promotion_keeps_the_old_version_for_a_rollback(tmp_path: Path) -> None:
    async with yard(tmp_path) as y:
        oldest, old, new = await y.add(8), await y.add(16), await y.add(32)
        for adapter in (oldest, old):
            await y.swap.activate(adapter)
        await y.swap.start_trial(new, "canary", 0.1)
        assert await y.unloaded() == {oldest.version, old.version, new.version}
        await y.swap.promote("support")
        assert (y.version, y.active.trial("support")) == (new.version, None)
        assert y.swap.previous("support") == old.version
        assert await y.unloaded() == {old.version, new.version}
        await y.swap.rollback("support")
        assert y.version == old.version


async def test_a_rollback_during_a_trial_ends_the_trial_alone(tmp_path: Path) -> None:
    async with yard(tmp_path) as y:
        oldest, old, new = await y.add(8), await y.add(16), await y.add(32)
        for adapter in (oldest, old):
            await y.swap.activate(adapter)
        await y.swap.start_trial(new, "canary", 0.1)
        active = await y.swap.rollback("support")
        assert (active.adapter.version, y.active.trial("support")) == (old.version, None)
        assert y.swap.previous("support") == oldest.version
        assert await y.unloaded() == {oldest.version, old.version}


async def test_an_activation_during_a_trial_ends_the_trial(tmp_path: Path) -> None:
    async with yard(tmp_path) as y:
        old, tried, new = await y.add(8), await y.add(16), await y.add(32)
        await y.swap.activate(old)
        await y.swap.start_trial(tried, "shadow")
        await y.swap.activate(new)
        assert (y.version, y.active.trial("support")) == (new.version, None)
        assert await y.unloaded() == {old.version, new.version}


async def test_what_cannot_be_tried_is_refused(tmp_path: Path) -> None:
    async with yard(tmp_path) as y:
        old, tried, third = await y.add(8), await y.add(16), await y.add(32)
        with pytest.raises(UnknownAdapter, match="'support' is in service"):
            await y.swap.start_trial(tried, "canary", 0.1)
        await y.swap.activate(old)
        with pytest.raises(Conflict, match="no such trial"):
            await y.swap.promote("support")
        with pytest.raises(Conflict, match="in service already"):
            await y.swap.start_trial(old, "canary", 0.1)
        trial = await y.swap.start_trial(tried, "canary", 0.1)
        with pytest.raises(Conflict, match=f"{tried.version} is on trial"):
            await y.swap.start_trial(third, "shadow")
        await y.swap.end_trial("support", trial)
        again = await y.swap.start_trial(tried, "canary", 0.1)
        for end in (y.swap.promote, y.swap.end_trial):
            with pytest.raises(Conflict, match="no such trial"):
                await end("support", trial)
        assert y.active.trial("support") is again


async def test_a_version_that_fails_its_probe_does_not_go_on_trial(tmp_path: Path) -> None:
    async with yard(tmp_path, ScriptedEngine({ASK: NO_TOOL})) as y:
        old, new = await y.add(), await y.add(32, probes=[PROBE])
        await y.swap.activate(old)
        with pytest.raises(AdapterRefused, match=f"{new.version}: step probe failed"):
            await y.swap.start_trial(new, "canary", 0.1)
        assert (y.active.trial("support"), y.loaded) == (None, {old.version})


async def test_a_trial_survives_a_restart(tmp_path: Path) -> None:
    async with yard(tmp_path) as y:
        old, new = await y.add(), await y.add(32)
        await y.swap.activate(old)
        trial = await y.swap.start_trial(new, "canary", 0.1, auto=True)
        kept = (await y.records.active())["support"]
        assert kept["trial"] == trial.as_dict()
        async with yard(tmp_path / "again") as z:
            await z.swap.restore(old, "desk", None, trial)
            assert (z.version, z.active.trial("support")) == (old.version, trial)
        await y.swap.rollback("support")
        assert "trial" not in (await y.records.active())["support"]


async def test_a_trial_that_cannot_be_brought_back_ends_and_the_version_in_service_survives(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with yard(tmp_path) as y:
        old, new = await y.add(), await y.add(32)
        await y.swap.activate(old)
        trial = await y.swap.start_trial(new, "canary", 0.1)
        (new.folder / "report.json").write_text("changed")
        async with yard(tmp_path / "again") as z:
            await z.swap.restore(old, None, None, trial)
            assert (z.version, z.active.trial("support")) == (old.version, None)
    assert f"the trial of adapter {new.version} ends" in caplog.text


async def test_a_rollback_does_not_wait_for_an_activation(tmp_path: Path) -> None:
    class Gated(ScriptedEngine):
        gate = asyncio.Event()
        loading = asyncio.Event()
        held = False

        async def load(self, version: str, folder: Path, proof: Proof | None = None) -> None:
            if self.held:
                self.loading.set()
                await self.gate.wait()
            await super().load(version, folder, proof)

    engine = Gated()
    async with yard(tmp_path, engine) as y:
        first, second, third = await y.add(8), await y.add(16), await y.add(32)
        for adapter in (first, second):
            await y.swap.activate(adapter)
        engine.held = True
        activation = asyncio.create_task(y.swap.activate(third))
        await engine.loading.wait()
        await y.swap.rollback("support")
        assert y.version == first.version
        engine.gate.set()
        await activation
        assert (y.version, y.swap.previous("support")) == (third.version, first.version)
        assert await y.unloaded() == {third.version, first.version}


async def test_the_metric_tells_the_share_of_a_trial_while_it_runs(tmp_path: Path) -> None:
    async with yard(tmp_path) as y:
        old, new = await y.add(), await y.add(32)
        await y.swap.activate(old)
        await y.swap.start_trial(new, "canary", 0.1)
        labels = {"model": new.version, "kind": "canary"}
        value = y.metrics.registry.get_sample_value
        assert value("pointsman_trial_share_ratio", labels) == 0.1
        await y.swap.promote("support")
        assert value("pointsman_trial_share_ratio", labels) is None
