"""What the faces are given: the built parts of the gateway, and who may call what."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from fastapi import Request

from gateway.adapters.active import ActiveAdapters
from gateway.adapters.measuring import Measuring
from gateway.adapters.notice import DriftNotices
from gateway.adapters.silences import Silences
from gateway.adapters.store import AdapterStore
from gateway.adapters.swap import Swap
from gateway.adapters.trials import Trials
from gateway.adapters.wanted_policy import WantedPolicy
from gateway.approval import Approvals
from gateway.assistant import Assistant
from gateway.config import Config
from gateway.dispatch import Dispatcher
from gateway.engines.base import Engine
from gateway.errors import Forbidden, Unauthenticated
from gateway.faces.conversations import Conversations
from gateway.observe import Metrics
from gateway.pipeline import Pipeline
from gateway.records import Records
from gateway.records.following import Following
from gateway.toolsets.registered import Registered
from gateway.toolsets.watch import Watch
from gateway.webhook import Webhook

Scope = Literal["agent", "admin"]


@dataclass(frozen=True)
class Keys:
    """Bearer keys by scope; an admin key may do everything. Without keys all are let in."""

    agent: tuple[str, ...] = ()
    admin: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.agent or self.admin)

    def require(self, scope: Scope, authorization: str | None) -> None:
        """Check an `Authorization` header.

        Raises:
            Unauthenticated: no key, or an unknown one.
            Forbidden: an agent key where an admin key is needed.
        """
        if not self:
            return
        kind, _, key = (authorization or "").partition(" ")
        if kind.lower() != "bearer" or not key:
            raise Unauthenticated("a bearer key is needed")
        if _among(key, self.admin):
            return
        if not _among(key, self.agent):
            raise Unauthenticated("the key is not known")
        if scope == "admin":
            raise Forbidden("an admin key is needed")


def _among(key: str, known: Sequence[str]) -> bool:
    # Every known key is compared, in constant time each.
    return sum(hmac.compare_digest(key.encode(), item.encode()) for item in known) > 0


@dataclass(frozen=True)
class Parts:
    """Everything the composition root has built."""

    config: Config
    keys: Keys
    engine: Engine
    watch: Watch
    registered: Registered
    active: ActiveAdapters
    drift_policy: WantedPolicy
    silences: Silences
    notices: DriftNotices
    measuring: Measuring | None
    webhook: Webhook | None
    store: AdapterStore
    swap: Swap
    trials: Trials
    pipeline: Pipeline
    dispatcher: Dispatcher
    assistant: Assistant
    approvals: Approvals
    conversations: Conversations
    records: Records
    following: Following
    metrics: Metrics


# Dependencies that wait for nothing are `async` all the same: FastAPI would run others in a thread.


async def parts(request: Request) -> Parts:
    """The gateway's parts (a FastAPI dependency)."""
    return cast(Parts, request.app.state.parts)


async def agent(request: Request) -> Parts:
    """The parts, for a caller with an agent or admin key."""
    found = await parts(request)
    found.keys.require("agent", request.headers.get("authorization"))
    return found


async def admin(request: Request) -> Parts:
    """The parts, for a caller with an admin key."""
    found = await parts(request)
    found.keys.require("admin", request.headers.get("authorization"))
    return found
