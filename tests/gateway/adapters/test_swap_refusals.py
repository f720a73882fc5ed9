"""What keeps a version out of service, and that a refusal changes nothing."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.adapters.active import ActiveAdapters
from gateway.config import ServerConfig
from gateway.drift_policy import DriftDefault
from gateway.engines.base import Proof
from gateway.engines.scripted import ScriptedEngine
from gateway.errors import AdapterRefused, Conflict, EngineDown
from gateway.toolsets.catalog import build_catalog
from gateway.toolsets.listing import Listing
from gateway.types import Toolset
from mcp_servers.support.toolset import toolset as support_revision
from tests.adapters import support_toolset
from tests.gateway.adapters.yard import NO_TOOL, PROBE, Disk, yard
from tests.gateway.serving import ASK, TRACK


class Unloadable(ScriptedEngine):
    """An engine that takes every adapter but those of one rank."""

    async def load(self, version: str, folder: Path, proof: Proof | None = None) -> None:
        if '"r": 64' in (folder / "adapter_config.json").read_text():
            raise AdapterRefused("rank 64 does not fit")
        await super().load(version, folder, proof)


def go_live(active: ActiveAdapters, toolset: Toolset) -> None:
    """The tools of a toolset become what the server `support` has listed."""
    config = ServerConfig(name="support", url="http://localhost:1/mcp")
    active.on_catalog(build_catalog([(config, Listing(toolset.tools))], []))


@pytest.mark.parametrize(
    ("answer", "target", "passes"),
    [
        (TRACK, TRACK, True),
        (TRACK, {"calls": [TRACK]}, True),
        (NO_TOOL, {"tool": "no_tool", "reason": "any"}, True),
        (NO_TOOL, TRACK, False),
        (TRACK, {"tool": "no_tool", "reason": "any"}, False),
        ({**TRACK, "arguments": {"order_id": "ORD-9999"}}, TRACK, False),
        ("not JSON", {"tool": "no_tool", "reason": "any"}, False),
    ],
)
async def test_a_probe_decides_whether_a_version_comes_into_service(
    tmp_path: Path, answer: Any, target: Any, passes: bool
) -> None:
    async with yard(tmp_path, ScriptedEngine({ASK: answer})) as y:
        old = await y.add()
        await y.swap.activate(old)
        new = await y.add(32, probes=[{"request": ASK, "target": target}])
        if passes:
            await y.swap.activate(new)
            assert y.version == new.version
            return
        with pytest.raises(AdapterRefused, match=f"{new.version}: step probe failed: .*ORD-1234"):
            await y.swap.activate(new)
        assert y.version == old.version
        assert y.loaded == {old.version}
        assert y.swap.previous("support") is None
        assert (await y.records.active())["support"]["version"] == old.version


@pytest.mark.parametrize(("probes", "warnings"), [((), 1), ((PROBE,), 0)])
async def test_an_activation_says_once_that_nothing_shows_what_a_version_without_probes_does(
    tmp_path: Path, probes: Sequence[Any], warnings: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with yard(tmp_path) as y:
        adapter = await y.add(probes=list(probes))
        await y.swap.activate(adapter)
        await y.swap.activate(adapter, probe=False)
        await y.swap.restore(adapter)
    warned = f"adapter {adapter.version} has no probes: nothing shows that it answers as it must"
    assert caplog.text.count(warned) == warnings


async def test_a_version_that_cannot_be_loaded_leaves_the_old_one(tmp_path: Path) -> None:
    async with yard(tmp_path, Unloadable()) as y:
        old, new = await y.add(), await y.add(64)
        await y.swap.activate(old)
        with pytest.raises(AdapterRefused, match="step load failed: rank 64"):
            await y.swap.activate(new)
        assert (y.version, y.loaded) == (old.version, {old.version})


async def test_a_failed_activation_of_the_version_before_leaves_the_rollback_open(
    tmp_path: Path,
) -> None:
    answers: dict[str, Any] = {ASK: TRACK}
    async with yard(tmp_path, ScriptedEngine(answers)) as y:
        first, second = await y.add(16, probes=[PROBE]), await y.add(32)
        await y.swap.activate(first)
        await y.swap.activate(second)
        answers[ASK] = NO_TOOL
        with pytest.raises(AdapterRefused, match="probe"):
            await y.swap.activate(first)
        await y.swap.rollback("support")
        assert y.version == first.version
        assert first.version in y.loaded


async def test_a_version_before_that_cannot_be_loaded_costs_only_the_rollback(
    tmp_path: Path,
) -> None:
    async with yard(tmp_path, Unloadable()) as y:
        first, second = await y.add(64), await y.add(16)
        await y.swap.restore(second, "desk", first)
        assert (y.version, y.swap.previous("support")) == (second.version, None)


def revision_2() -> Toolset:
    return Toolset("support", support_revision(2).tools)


def nothing() -> Toolset:
    return Toolset("support", ())


@pytest.mark.parametrize(
    ("live", "policy", "refused"),
    [
        (support_toolset, "block", None),
        (revision_2, "mask", None),
        (revision_2, "warn", None),
        (revision_2, "block", "removed.*policy is to block"),
        (nothing, "mask", "none of its tools is live"),
        (nothing, "warn", "none of its tools is live"),
    ],
)
async def test_drift_refuses_an_activation_by_policy_or_when_nothing_is_left(
    tmp_path: Path, live: Callable[[], Toolset], policy: DriftDefault, refused: str | None
) -> None:
    async with yard(tmp_path, policy=policy) as y:
        go_live(y.active, live())
        adapter = await y.add()
        if refused is None:
            await y.swap.activate(adapter)
            assert y.version == adapter.version
        else:
            with pytest.raises(AdapterRefused, match=refused):
                await y.swap.activate(adapter)
            assert (y.version, y.loaded) == (None, set())


@pytest.mark.parametrize("policy", ["mask", "block"])
async def test_drift_keeps_nothing_from_coming_back_that_served_or_is_configured(
    tmp_path: Path, policy: DriftDefault
) -> None:
    async with yard(tmp_path, policy=policy) as y:
        go_live(y.active, nothing())
        adapter = await y.add()
        await y.swap.activate(adapter, probe=False)
        assert y.version == adapter.version
        await y.swap.restore(adapter)
        assert y.version == adapter.version


async def test_an_engine_that_is_down_refuses_the_activation(tmp_path: Path) -> None:
    class Down(ScriptedEngine):
        async def complete(self, prompt: Any) -> Any:
            raise EngineDown("the engine is stopped")

    async with yard(tmp_path, Down()) as y:
        with pytest.raises(AdapterRefused, match="step load failed: the engine is stopped"):
            await y.swap.activate(await y.add(probes=[PROBE]))
        assert (y.version, y.loaded) == (None, set())


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: (folder / "report.json").write_text("{ }"), "changed after it came in"),
        (lambda folder: (folder / "adapter_model.safetensors").unlink(), "changed"),
    ],
)
async def test_a_folder_that_was_changed_after_it_came_in_is_not_activated(
    tmp_path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    async with yard(tmp_path) as y:
        old, new = await y.add(), await y.add(32)
        await y.swap.activate(old)
        spoil(new.folder)
        with pytest.raises(AdapterRefused, match=f"{new.version}: step verify failed: .*{words}"):
            await y.swap.activate(new)
        assert (y.version, y.loaded) == (old.version, {old.version})


async def test_a_version_before_whose_folder_was_changed_is_none_to_roll_back_to(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with yard(tmp_path) as y:
        first, second = await y.add(), await y.add(32)
        (first.folder / "report.json").write_text("{ }")
        await y.swap.restore(second, None, first)
        assert (y.version, y.swap.previous("support")) == (second.version, None)
        assert y.loaded == {second.version}
    assert f"no rollback to adapter {first.version}: {first.version}: the folder was" in caplog.text


async def test_a_version_that_cannot_be_kept_does_not_come_into_service(tmp_path: Path) -> None:
    disk = Disk()
    async with yard(tmp_path, records=disk) as y:
        old, new = await y.add(), await y.add(32)
        await y.swap.activate(old)
        disk.full = True
        with pytest.raises(AdapterRefused, match=r"step keep failed: .*disk is full"):
            await y.swap.activate(new)
        assert (y.version, y.loaded) == (old.version, {old.version})
        assert y.swap.previous("support") is None


async def test_a_full_disk_does_not_hold_up_a_rollback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    disk = Disk()
    async with yard(tmp_path, records=disk) as y:
        old, new = await y.add(), await y.add(32)
        for adapter in (old, new):
            await y.swap.activate(adapter)
        disk.full = True
        await y.swap.rollback("support")
        assert (y.version, y.swap.previous("support")) == (old.version, new.version)
    assert "a restart will not know of the rollback" in caplog.text


async def test_a_version_that_is_needed_is_not_removed(tmp_path: Path) -> None:
    async with yard(tmp_path) as y:
        old, new, tried, spare = [await y.add(rank) for rank in (8, 16, 32, 64)]
        for adapter in (old, new):
            await y.swap.activate(adapter)
        await y.swap.start_trial(tried, "canary", 0.1)
        uses = ((old, "kept for a rollback"), (new, "in service"), (tried, "on trial"))
        for adapter, use in uses:
            with pytest.raises(Conflict, match=f"{adapter.version} is {use}"):
                await y.swap.remove(adapter)
        await y.swap.remove(spare)
        assert list(y.store.adapters) == [old.version, new.version, tried.version]


async def test_a_version_that_still_answers_requests_is_not_removed(tmp_path: Path) -> None:
    async with yard(tmp_path) as y:
        first, second, third = [await y.add(rank) for rank in (8, 16, 32)]
        await y.swap.activate(first)
        with y.active.asked("support", "conversation"):
            for adapter in (second, third):
                await y.swap.activate(adapter)
            with pytest.raises(Conflict, match=f"{first.version} has requests under way"):
                await y.swap.remove(first)
        await y.swap.remove(first)
        assert first.version not in y.loaded
