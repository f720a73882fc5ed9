"""Trials under way: their tallies, their metrics, and what `--auto` does about them.

A tally belongs to one trial and counts only requests that the trial was drawn for; what is told of
a trial that has ended meanwhile is dropped. Above stands the pipeline, which tells what became of
each request; below the swap, which ends a trial.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.adapters.active import Active, ActiveAdapters, Chosen
from gateway.adapters.swap import Swap
from gateway.adapters.tally import Counts, Tally, agrees
from gateway.adapters.trial import Role, Trial
from gateway.adapters.verdict import Rule, Verdict, verdict
from gateway.decide import Decision
from gateway.drift import GRADES, MASKED
from gateway.errors import PointsmanError
from gateway.observe import Metrics

logger = logging.getLogger(__name__)


@dataclass
class _Running:
    """The tallies of one trial: of the version in service, and of the one on trial."""

    trial: Trial
    old: Tally = field(default_factory=Tally)
    new: Tally = field(default_factory=Tally)
    ending: bool = False


class Trials:
    """Counts what becomes of requests per version, and ends a trial by the rule if it is to."""

    def __init__(
        self, active: ActiveAdapters, swap: Swap, metrics: Metrics, rule: Rule | None = None
    ) -> None:
        self._active = active
        self._swap = swap
        self._metrics = metrics.versions
        self._rule = rule or Rule()
        self._running: dict[str, _Running] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def counts(self, name: str) -> Mapping[str, Counts]:
        """Version -> figures of the trial under way; empty without one."""
        trial, active = self._active.trial(name), self._active.get(name)
        if trial is None or active is None:
            return {}
        running = self._of(name, trial)
        return {
            active.adapter.version: running.old.counts(),
            trial.adapter.version: running.new.counts(),
        }

    def answered(
        self, chosen: Chosen, decision: Decision, seconds: float, confidence: float | None
    ) -> None:
        """A request was answered by the version chosen for it; the route took `seconds`."""
        self._measure(chosen.active, chosen.role, seconds, confidence)
        running = self._counted(chosen)
        if running is not None:
            tally = running.new if chosen.role == "canary" else running.old
            tally.answered(decision, seconds, confidence)
            self._judge(running)

    def failed(self, chosen: Chosen, error: PointsmanError) -> None:
        """The engine could not complete a request."""
        self._metrics.errors.labels(chosen.active.adapter.version, chosen.role, error.code).inc()
        running = self._counted(chosen)
        if running is not None:
            (running.new if chosen.role == "canary" else running.old).failed()
            self._judge(running)

    def shadowed(
        self,
        chosen: Chosen,
        served: Decision,
        shadowed: Decision,
        seconds: float,
        confidence: float | None,
    ) -> None:
        """The shadow has answered a request that the version in service has answered."""
        assert chosen.shadow is not None
        version = chosen.shadow.adapter.version
        same = agrees(served, shadowed)
        self._measure(chosen.shadow, "shadow", seconds, confidence)
        self._metrics.shadow_routes.labels(
            version, shadowed.outcome, shadowed.reason_code or ""
        ).inc()
        if not same:
            self._metrics.shadow_disagreements.labels(version, chosen.active.adapter.version).inc()
        running = self._counted(chosen)
        if running is not None:
            running.new.answered(shadowed, seconds, confidence)
            running.new.compared(same)
            self._judge(running)

    def shadow_failed(self, chosen: Chosen, error: PointsmanError) -> None:
        """The engine could not complete a request for the shadow."""
        assert chosen.shadow is not None
        version = chosen.shadow.adapter.version
        self._metrics.errors.labels(version, "shadow", error.code).inc()
        running = self._counted(chosen)
        if running is not None:
            running.new.failed()
            self._judge(running)

    def shadow_dropped(self, chosen: Chosen) -> None:
        """A request was not asked of the shadow, which is behind."""
        assert chosen.shadow is not None
        self._metrics.shadow_dropped.labels(chosen.shadow.adapter.version).inc()
        running = self._counted(chosen)
        if running is not None:
            running.new.dropped()

    async def close(self) -> None:
        """Finish the promotions and rollbacks that the rule has begun; idempotent."""
        await asyncio.gather(*self._tasks)

    def _measure(
        self, active: Active, role: Role, seconds: float, confidence: float | None
    ) -> None:
        version = active.adapter.version
        self._metrics.seconds.labels(version, role).observe(seconds)
        if confidence is not None:
            self._metrics.confidence.labels(version, role).observe(confidence)

    def _of(self, name: str, trial: Trial) -> _Running:
        running = self._running.get(name)
        if running is None or running.trial is not trial:
            running = self._running[name] = _Running(trial)
        return running

    def _counted(self, chosen: Chosen) -> _Running | None:
        """The trial that a request counts for, unless it has ended."""
        name = chosen.active.adapter.name
        if chosen.trial is None or self._active.trial(name) is not chosen.trial:
            return None
        return self._of(name, chosen.trial)

    def _judge(self, running: _Running) -> None:
        trial = running.trial
        if not trial.auto or running.ending:
            return
        said = verdict(
            trial.kind,
            running.old.counts(),
            running.new.counts(),
            worse_drift=self._drifted_worse(trial.adapter.name),
            rule=self._rule,
        )
        if said.judgement != "go on":
            running.ending = True
            task = asyncio.get_running_loop().create_task(self._end(running, said))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _drifted_worse(self, name: str) -> bool:
        active, tried = self._active.get(name), self._active.tried(name)
        if active is None or tried is None or tried.drift.worst not in MASKED:
            return False
        return GRADES.index(tried.drift.worst) > GRADES.index(active.drift.worst)

    async def _end(self, running: _Running, said: Verdict) -> None:
        trial = running.trial
        logger.warning(
            "trial of adapter %s: %s, for %s", trial.adapter.version, said.judgement, said.reason,
            extra={"event": "trial_verdict", "adapter": trial.adapter.version,
                   "verdict": said.judgement, "reason": said.reason},
        )  # fmt: skip
        end = self._swap.promote if said.judgement == "promote" else self._swap.end_trial
        try:
            await end(trial.adapter.name, trial)
        except PointsmanError as exc:
            logger.error("trial of adapter %s goes on: %s", trial.adapter.version, exc)
            running.ending = False
