"""A tool's new or changed definition that waits for a person's approval. A value: no decisions."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from mcp.types import Tool

from gateway.drift import compare
from gateway.fingerprint import digest, tool_fingerprint
from gateway.toolsets.flags import Finding, findings
from gateway.types import Toolset


def as_listed(tool: Tool) -> dict[str, Any]:
    """A whole definition as its server sent it."""
    return tool.model_dump(by_alias=True, mode="json", exclude_none=True)


@dataclass(frozen=True)
class Held:
    """`listed` is what the server lists now, `approved` what a person approved last; both carry
    the name that agents see."""

    server: str
    own_name: str
    listed: Tool
    approved: Tool | None = None

    @cached_property
    def flags(self) -> tuple[Finding, ...]:
        """What is suspicious about the definition that waits."""
        return findings(self.listed)

    @property
    def name(self) -> str:
        """The tool's name as agents see it."""
        return self.listed.name

    @property
    def state(self) -> Literal["new", "changed"]:
        """Whether the tool was never approved, or in another form."""
        return "new" if self.approved is None else "changed"

    @cached_property
    def fingerprint(self) -> str:
        """The fingerprint of the definition that waits."""
        return tool_fingerprint(self.listed)

    @cached_property
    def definition(self) -> str:
        """sha256 (hex) over the whole definition: title, annotations and output schema too, which
        the fingerprint leaves out."""
        return digest(as_listed(self.listed))

    def named(self) -> dict[str, Any]:
        """What may be told without telling the text that waits."""
        return {
            "tool": self.name,
            "server": self.server,
            "state": self.state,
            "fingerprint": self.fingerprint,
        }

    def as_dict(self) -> dict[str, Any]:
        """Everything that a person needs to decide: changes, the new definition, flags."""
        changes: list[dict[str, Any]] = []
        if self.approved is not None:
            drift = compare(Toolset(self.server, (self.approved,)), {self.name: self.listed})
            changes = [change.as_dict() for item in drift.tools for change in item.changes]
        return {
            **self.named(),
            "definition": self.definition,
            "changes": changes,
            "listed": as_listed(self.listed),
            "flags": [finding.as_dict() for finding in self.flags],
        }
