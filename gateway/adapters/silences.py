"""Drift that nobody wants to be warned of for a time, each silence with its reason and its expiry.

A silence says nothing about what is done: masked tools stay masked. Above stands the admin face;
below, the records.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from gateway.adapters.notice import Notice
from gateway.drift_policy import Graded
from gateway.errors import BadRequest, NotFound
from gateway.records import Records

logger = logging.getLogger(__name__)
_KIND = "drift_silences"
_LONGEST_TIMER_S = 86_400.0


class Silence(BaseModel):
    """No warnings of an adapter's (by name) drift until then, or only of one grade or some tools.

    Body of `POST /admin/drift/silences`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    adapter: str = Field(min_length=1)
    grade: Graded | None = None
    tools: tuple[str, ...] | None = Field(default=None, min_length=1)
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
    until: AwareDatetime

    def covers(self, tool: str, grade: str) -> bool:
        """Whether one tool's drift is silenced."""
        return self.grade in (None, grade) and (self.tools is None or tool in self.tools)


def fault(silence: Silence, tools: Mapping[str, Collection[str]]) -> str | None:
    """Why a silence would never be heeded; None if it may be. `tools` are those that each adapter
    (by its name) learned or is offered now."""
    if silence.adapter not in tools:
        known = ", ".join(tools) or "none"
        return f"adapter: no adapter {silence.adapter!r} is stored; stored: {known}"
    unknown = [tool for tool in silence.tools or () if tool not in tools[silence.adapter]]
    if unknown:
        return f"tools: adapter {silence.adapter} never saw {', '.join(unknown)}, nor are they live"
    return None


def silenced(silences: Iterable[Silence], notice: Notice, now: float) -> bool:
    """Whether every drifted tool of a notice is silenced now (seconds since 1970); one that is not
    is news, and the whole is told."""
    name = notice.adapter.name
    valid = [s for s in silences if s.adapter == name and s.until.timestamp() > now]
    return all(any(s.covers(t.tool, t.grade) for s in valid) for t in notice.drift.tools)


class Silences:
    """Keeps the silences, and tells when one ends."""

    def __init__(self, records: Records, clock: Callable[[], float] = time.time) -> None:
        self._records = records
        self._clock = clock
        self._silences: dict[str, Silence] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.on_end: Callable[[], None] = lambda: None

    @property
    def all(self) -> Mapping[str, Silence]:
        """The silences that have not expired, by their identifiers."""
        now = self._clock()
        return {k: s for k, s in self._silences.items() if s.until.timestamp() > now}

    def covers(self, notice: Notice) -> bool:
        """Whether a notice is silenced now."""
        return silenced(self._silences.values(), notice, self._clock())

    async def open(self) -> None:
        """Bring back the silences of earlier runs; those that have expired are forgotten."""
        await self.follow()
        gone = self._silences.keys() - self.all.keys()
        if gone:
            await self._records.drop(_KIND, *gone)
            self._silences = dict(self.all)

    async def follow(self) -> None:
        """Take over what is kept: silences of earlier runs, and those that another gateway over the
        same records began or ended."""
        kept = await self._records.kept(_KIND)
        before, self._silences = self._silences, {}
        for key, value in kept.items():
            try:
                self._silences[key] = Silence.model_validate(value)
            except ValidationError as exc:
                logger.error(
                    "the kept silence %s cannot be read: %s problems", key, exc.error_count()
                )
        if before.keys() - self._silences.keys():
            self.on_end()
        self._wait()

    def close(self) -> None:
        """Stop waiting; idempotent."""
        if self._timer is not None:
            self._timer.cancel()

    async def add(self, silence: Silence) -> str:
        """Keep a silence; returns its identifier. Raises BadRequest if it has expired already."""
        if silence.until.timestamp() <= self._clock():
            raise BadRequest(f"`until` is past: {silence.until.isoformat()}")
        key = f"silence_{uuid.uuid4().hex[:12]}"
        await self._records.keep(_KIND, {key: silence.model_dump(mode="json")})
        self._silences[key] = silence
        self._wait()
        return key

    async def remove(self, key: str) -> None:
        """End a silence. Raises NotFound."""
        if key not in self.all:
            raise NotFound(f"there is no silence {key!r}")
        await self._records.drop(_KIND, key)
        self._silences.pop(key, None)  # another request may have ended it meanwhile
        self.on_end()
        self._wait()

    def _wait(self) -> None:
        """Call `on_end` when the next silence expires."""
        self.close()
        ends = [silence.until.timestamp() - self._clock() for silence in self.all.values()]
        if ends:
            # Timers follow another clock than calendars do: a long wait is cut into shorter ones.
            pause = min(min(ends) + 0.01, _LONGEST_TIMER_S)
            self._timer = asyncio.get_running_loop().call_later(pause, self._ended)

    def _ended(self) -> None:
        self.on_end()
        self._wait()


def silence_as_dict(key: str, silence: Silence) -> dict[str, Any]:
    """The form of `/admin/drift/silences`."""
    until: datetime = silence.until
    return {"id": key, **silence.model_dump(mode="json"), "until": until.isoformat()}
