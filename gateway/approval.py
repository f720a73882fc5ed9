"""Which calls a person must approve before they run, and the calls that wait for it.

Every face that dispatches asks here. One that can ask a person does so (an approval request of the
Responses API, an elicitation of MCP); one that cannot refuses the call. Knows no protocol.
"""

import uuid
from collections import OrderedDict
from dataclasses import dataclass

from mcp.types import Tool

from gateway.config import ApprovalConfig
from gateway.errors import NotFound
from gateway.types import Call

_WAITING = 1_000


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
class Waiting:
    """A call that waits for its approval, with its tool as it was when a person was asked: the
    server that owned it, and its fingerprint."""

    id: str
    server: str
    fingerprint: str
    call: Call


class Approvals:
    """The calls that wait. Each is taken once, so that no approval runs a call twice.

    They are kept in memory, the latest thousand: what is forgotten has to be asked for again.
    """

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, Waiting] = OrderedDict()

    def ask(self, server: str, fingerprint: str, call: Call) -> Waiting:
        """Put a call to wait under an id that cannot be guessed."""
        waiting = Waiting(f"mcpr_{uuid.uuid4().hex}", server, fingerprint, call)
        self._waiting[waiting.id] = waiting
        if len(self._waiting) > _WAITING:
            self._waiting.popitem(last=False)
        return waiting

    def get(self, request_id: str) -> Waiting:
        """A call that waits. Raises NotFound."""
        if request_id not in self._waiting:
            raise NotFound(
                f"no call waits for approval as {request_id!r}; each request is answered once"
            )
        return self._waiting[request_id]

    def take(self, request_id: str) -> Waiting:
        """A call, approved or denied, which waits no longer. Raises NotFound."""
        waiting = self.get(request_id)
        del self._waiting[request_id]
        return waiting
