"""Which calls a person must approve before they run, who has them approved, and what waits for it.

Every face that dispatches asks here. One that can ask a person does so (an approval request of the
Responses API, an elicitation of MCP); one that cannot refuses the call. Knows no protocol.
"""

import uuid
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

from mcp.types import Tool

from gateway.config import ApprovalConfig
from gateway.errors import NotFound
from gateway.types import Call

Step = Literal["asked", "approved", "denied"]
_WAITING = 1_000
_T = TypeVar("_T")


def needs_approval(tool: Tool, policy: ApprovalConfig) -> bool:
    """Whether the policy wants this tool's calls approved.

    Destructive is what its server marks so (`destructiveHint`); a hint means something only for a
    tool that is not read-only (MCP, ToolAnnotations). A tool without the hint is not marked.
    """
    if tool.name in policy.tools:
        return True
    hints = tool.annotations
    if not policy.destructive or hints is None or hints.read_only_hint:
        return False
    return hints.destructive_hint is True


@dataclass(frozen=True, slots=True)
class OwnedCall:
    """A call with its tool as it is: the server that owns it, and its fingerprint."""

    server: str
    fingerprint: str
    call: Call


class Approver(Protocol):
    """Has the calls of one request approved by a person."""

    @property
    def approval(self) -> str | None:
        """The id of what a person was asked, None if nobody was."""
        ...

    @property
    def step(self) -> Step | None:
        """How far that is, None if nobody was asked."""
        ...

    async def approve(self, calls: Sequence[OwnedCall]) -> None:
        """Have the calls approved, all of them at once.

        Raises:
            NotApproved: the person said no, or cannot be asked; the message says which.
            ApprovalAsked: the answer comes with another request.
        """
        ...


@dataclass(frozen=True, slots=True)
class Approved:
    """For calls that a person approved before the request began; an `Approver`."""

    approval: str
    step: Step = "approved"

    async def approve(self, calls: Sequence[OwnedCall]) -> None:
        """Nothing is left to ask."""


class Once(Generic[_T]):
    """What waits for a person, by ids that cannot be guessed. Each is taken once, so that no answer
    counts twice.

    They are kept in memory, the latest thousand: what is forgotten has to be asked for again.
    """

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, _T] = OrderedDict()

    def keep(self, request_id: str, waiting: _T) -> None:
        """Put something to wait."""
        self._waiting[request_id] = waiting
        if len(self._waiting) > _WAITING:
            self._waiting.popitem(last=False)

    def get(self, request_id: str) -> _T | None:
        """What waits under an id."""
        return self._waiting.get(request_id)

    def take(self, request_id: str) -> _T | None:
        """The same; it waits no longer."""
        return self._waiting.pop(request_id, None)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A call that waits for its approval, with its tool as it was when a person was asked: the
    server that owned it, and its fingerprint."""

    id: str
    server: str
    fingerprint: str
    call: Call


class Approvals:
    """The calls that wait for the next request of the Responses API."""

    def __init__(self) -> None:
        self._waiting = Once[Waiting]()

    def ask(self, server: str, fingerprint: str, call: Call) -> Waiting:
        """Put a call to wait."""
        waiting = Waiting(f"mcpr_{uuid.uuid4().hex}", server, fingerprint, call)
        self._waiting.keep(waiting.id, waiting)
        return waiting

    def get(self, request_id: str) -> Waiting:
        """A call that waits. Raises NotFound."""
        return _found(request_id, self._waiting.get(request_id))

    def take(self, request_id: str) -> Waiting:
        """A call, approved or denied, which waits no longer. Raises NotFound."""
        return _found(request_id, self._waiting.take(request_id))


def _found(request_id: str, waiting: Waiting | None) -> Waiting:
    if waiting is None:
        raise NotFound(
            f"no call waits for approval as {request_id!r}; each request is answered once"
        )
    return waiting
