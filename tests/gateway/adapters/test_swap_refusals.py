"""What keeps a version out of service, and that a refusal changes nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.adapters.active import ActiveAdapters, DriftPolicy
from gateway.config import ServerConfig
from gateway.engines.scripted import ScriptedEngine
from gateway.errors import AdapterRefused, EngineDown
from gateway.toolsets.catalog import build_catalog
from gateway.toolsets.listing import Listing
from gateway.types import Toolset
from mcp_servers.support.toolset import toolset as support_revision
from tests.adapters import support_toolset
from tests.gateway.adapters.yard import NO_TOOL, PROBE, yard
from tests.gateway.serving import ASK, TRACK


class Unloadable(ScriptedEngine):
    """An engine that takes every adapter but those of one rank."""

    async def load(self, version: str, folder: Path) -> None:
        if '"r": 64' in (folder / "adapter_config.json").read_text():
            raise AdapterRefused("rank 64 does not fit")
        await super().load(version, folder)


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
    tmp_path: Path, live: Callable[[], Toolset], policy: DriftPolicy, refused: str | None
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


async def test_an_engine_that_is_down_refuses_the_activation(tmp_path: Path) -> None:
    class Down(ScriptedEngine):
        async def complete(self, prompt: Any) -> Any:
            raise EngineDown("the engine is stopped")

    async with yard(tmp_path, Down()) as y:
        with pytest.raises(AdapterRefused, match="step probe failed: the engine is stopped"):
            await y.swap.activate(await y.add(probes=[PROBE]))
        assert (y.version, y.loaded) == (None, set())
