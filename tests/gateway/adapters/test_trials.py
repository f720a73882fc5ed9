"""Trials counted, and ended by their figures."""

import logging
from pathlib import Path

import pytest

from gateway.adapters.active import Chosen
from gateway.adapters.trial import TrialKind
from gateway.adapters.verdict import Rule
from gateway.decide import Decision
from gateway.errors import EngineDown
from gateway.types import Call
from tests.gateway.adapters.yard import Disk, Yard, yard

CALL = Decision("call", (Call("track_order", {"order_id": "ORD-1"}),))
INVALID = Decision("invalid", reason_code="parse")
RULE = Rule(requests=20, alarm_requests=10, margin=0.5)


async def on_trial(y: Yard, kind: TrialKind, *, auto: bool) -> tuple[str, str]:
    """The versions in service and on trial."""
    old, new = await y.add(), await y.add(32)
    await y.swap.activate(old)
    await y.swap.start_trial(new, kind, 0.5, auto=auto)
    return old.version, new.version


def chosen_for(y: Yard, role: str) -> Chosen:
    """What is chosen for a conversation whose role in the trial it is."""
    found = (y.active.choose("support", f"conversation {number}") for number in range(1000))
    return next(c for c in found if c.role == role and (role == "canary" or c.shadow is None))


def shadowed(y: Yard) -> Chosen:
    found = (y.active.choose("support", f"conversation {number}") for number in range(1000))
    return next(c for c in found if c.shadow is not None)


async def ended(y: Yard) -> None:
    """The rule's own doing is done."""
    await y.trials.close()


async def test_each_version_is_counted_for_itself(tmp_path: Path) -> None:
    async with yard(tmp_path) as y:
        old, new = await on_trial(y, "canary", auto=False)
        for _ in range(3):
            y.trials.answered(chosen_for(y, "service"), CALL, 0.1, 0.9)
        y.trials.answered(chosen_for(y, "canary"), INVALID, 0.2, None)
        y.trials.failed(chosen_for(y, "canary"), EngineDown("stopped"))
        counts = y.trials.counts("support")
        assert (counts[old].requests, counts[old].broken) == (3, 0)
        assert (counts[new].requests, counts[new].broken, counts[new].errors) == (2, 2, 1)
        text = y.metrics.text().decode()
        for line in (
            f'pointsman_route_seconds_count{{model="{old}",role="service"}} 3.0',
            f'pointsman_route_seconds_count{{model="{new}",role="canary"}} 1.0',
            f'pointsman_route_confidence_count{{model="{old}",role="service"}} 3.0',
            f'pointsman_route_errors_total{{code="engine_down",model="{new}",role="canary"}} 1.0',
        ):
            assert line in text


async def test_a_request_that_no_trial_was_drawn_for_is_not_counted(tmp_path: Path) -> None:
    async with yard(tmp_path) as y:
        old, new = await on_trial(y, "canary", auto=False)
        for version in (old, new):
            y.trials.answered(y.active.choose(version, "x"), CALL, 0.1, 0.9)
        assert [c.requests for c in y.trials.counts("support").values()] == [0, 0]


async def test_a_reply_that_comes_after_its_trial_counts_for_no_other(tmp_path: Path) -> None:
    async with yard(tmp_path) as y:
        _, new = await on_trial(y, "canary", auto=False)
        late = chosen_for(y, "canary")
        await y.swap.rollback("support")
        assert y.trials.counts("support") == {}
        await y.swap.start_trial(y.store.adapters[new], "canary", 0.5)
        y.trials.answered(late, INVALID, 0.1, 0.9)
        assert [c.requests for c in y.trials.counts("support").values()] == [0, 0]


async def test_a_shadow_is_compared_with_the_version_in_service(tmp_path: Path) -> None:
    async with yard(tmp_path) as y:
        old, new = await on_trial(y, "shadow", auto=False)
        chosen = shadowed(y)
        y.trials.answered(chosen, CALL, 0.1, 0.9)
        y.trials.shadowed(chosen, CALL, CALL, 0.1, 0.9)
        y.trials.shadowed(chosen, CALL, INVALID, 0.1, None)
        y.trials.shadow_failed(chosen, EngineDown("stopped"))
        y.trials.shadow_dropped(chosen)
        counts = y.trials.counts("support")
        assert counts[old].requests == 1
        found = counts[new]
        assert (found.requests, found.compared, found.agreed, found.dropped) == (3, 2, 1, 1)
        text = y.metrics.text().decode()
        labels = f'model="{new}",outcome="invalid",reason_code="parse"'
        assert f"pointsman_shadow_routes_total{{{labels}}} 1.0" in text
        assert "pointsman_routes_total{" not in text
        both = f'in_service="{old}",model="{new}"'
        assert f"pointsman_shadow_disagreements_total{{{both}}} 1.0" in text
        assert f'pointsman_shadow_dropped_total{{model="{new}"}} 1.0' in text


async def test_auto_promotes_what_proves_itself_and_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with yard(tmp_path, rule=RULE) as y:
        old, new = await on_trial(y, "canary", auto=True)
        roles = [chosen_for(y, role) for role in ("service", "canary")]
        for _ in range(19):
            for chosen in roles:
                y.trials.answered(chosen, CALL, 0.1, 0.9)
        await ended(y)
        assert y.version == old
        for chosen in roles:
            y.trials.answered(chosen, CALL, 0.1, 0.9)
        await ended(y)
        assert (y.version, y.swap.previous("support")) == (new, old)
        assert y.active.trial("support") is None
    (line,) = [r for r in caplog.records if getattr(r, "event", "") == "trial_verdict"]
    assert line.__dict__["verdict"] == "promote"
    assert "it leaves 0 of 20 requests" in line.getMessage()


async def test_auto_rolls_back_what_breaks(tmp_path: Path) -> None:
    async with yard(tmp_path, rule=RULE) as y:
        old, _ = await on_trial(y, "canary", auto=True)
        for _ in range(10):
            y.trials.answered(chosen_for(y, "service"), CALL, 0.1, 0.9)
        canary = chosen_for(y, "canary")
        for _ in range(10):
            y.trials.failed(canary, EngineDown("stopped"))
        await ended(y)
        assert (y.version, y.active.trial("support")) == (old, None)
        assert await y.unloaded() == {old}


async def test_without_auto_figures_end_no_trial(tmp_path: Path) -> None:
    async with yard(tmp_path, rule=RULE) as y:
        _, new = await on_trial(y, "canary", auto=False)
        for role in ("service", "canary"):
            for _ in range(20):
                decision = CALL if role == "service" else INVALID
                y.trials.answered(chosen_for(y, role), decision, 0.1, 0.9)
        await ended(y)
        trial = y.active.trial("support")
        assert trial is not None
        assert trial.adapter.version == new


async def test_a_promotion_that_cannot_be_kept_leaves_the_trial_under_way(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    disk = Disk()
    async with yard(tmp_path, records=disk, rule=RULE) as y:
        old, _ = await on_trial(y, "canary", auto=True)
        disk.full = True
        roles = [chosen_for(y, role) for role in ("service", "canary")]
        for _ in range(20):
            for chosen in roles:
                y.trials.answered(chosen, CALL, 0.1, 0.9)
        await ended(y)
        assert y.version == old
        assert y.active.trial("support") is not None
    assert "cannot be kept in service: database or disk is full" in caplog.text
