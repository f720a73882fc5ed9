"""The tool `mcp` of the Responses API: a registered server whose calls the gateway makes itself.

A label names a server that is registered here. A URL of another server is refused and never
contacted: what this gateway reaches is for its operator to say. So are credentials, which the
gateway holds. Without `require_approval` every call has to be approved, as OpenAI has it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from mcp.types import Tool
from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.approval import needs_approval
from gateway.config import ApprovalConfig
from gateway.errors import Forbidden, UpstreamDown
from gateway.faces.openai.errors import Unsupported
from gateway.toolsets.catalog import Entry
from gateway.toolsets.watch import Watch


class ToolFilter(BaseModel):
    """Some of a server's tools. One that says nothing would be all of them, so it is refused."""

    model_config = ConfigDict(extra="forbid")
    tool_names: list[str] | None = None
    read_only: bool | None = None

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if self.tool_names is None and self.read_only is None:
            raise ValueError("a filter needs tool_names or read_only")
        return self

    def fits(self, tool: Tool) -> bool:
        """Whether the tool is among them."""
        if self.tool_names is not None and tool.name not in self.tool_names:
            return False
        hint = tool.annotations is not None and tool.annotations.read_only_hint is True
        return self.read_only is None or self.read_only == hint


class ApprovalFilter(BaseModel):
    """Tools whose calls are always, or never, to be approved; the others always."""

    model_config = ConfigDict(extra="forbid")
    always: ToolFilter | None = None
    never: ToolFilter | None = None


class McpTool(BaseModel):
    """A member of `tools` with the type `mcp`. An unknown member is refused: it may be one that
    bounds what is called, misspelt."""

    model_config = ConfigDict(extra="forbid")
    type: Literal["mcp"]
    server_label: str = Field(min_length=1)
    server_description: str | None = None
    server_url: str | None = None
    allowed_tools: list[str] | ToolFilter | None = None
    require_approval: Literal["always", "never"] | ApprovalFilter | None = None
    connector_id: str | None = None
    authorization: str | None = Field(default=None, exclude=True)
    headers: dict[str, Any] | None = Field(default=None, exclude=True)

    def allows(self, tool: Tool) -> bool:
        """Whether the agent lets the tool be called."""
        if isinstance(self.allowed_tools, list):
            return tool.name in self.allowed_tools
        return self.allowed_tools is None or self.allowed_tools.fits(tool)

    def asks(self, tool: Tool) -> bool:
        """Whether the agent wants the tool's calls approved."""
        wanted = self.require_approval
        if not isinstance(wanted, ApprovalFilter):
            return wanted != "never"
        if wanted.always is not None and wanted.always.fits(tool):
            return True
        return wanted.never is None or not wanted.never.fits(tool)


@dataclass(frozen=True, slots=True)
class Offer:
    """A live tool that may be called, its server, and whether its calls wait for approval."""

    entry: Entry
    waits: bool


def offers(
    wanted: Sequence[McpTool], watch: Watch, policy: ApprovalConfig
) -> Mapping[str, Mapping[str, Offer]]:
    """Server -> tool name -> offer.

    Raises:
        UnknownServer: a label names no registered server.
        Forbidden: a URL that is not that server's.
        UpstreamDown: the server has not listed its tools yet.
        BadRequest: credentials, a connector of OpenAI's, or a server that stands twice.
    """
    found: dict[str, Mapping[str, Offer]] = {}
    for item in wanted:
        _require_ours(item, watch)
        if item.server_label in found:
            why = f"server_label {item.server_label!r} stands twice; join the entries"
            raise Unsupported("tools", why)
        live = (e for e in watch.catalog.entries.values() if e.server == item.server_label)
        found[item.server_label] = {
            entry.tool.name: Offer(
                entry, item.asks(entry.tool) or needs_approval(entry.tool, policy)
            )
            for entry in live
            if item.allows(entry.tool)
        }
    return found


def _require_ours(item: McpTool, watch: Watch) -> None:
    if item.connector_id is not None:
        raise Unsupported("tools", "connector_id names a server of OpenAI's; register the server")
    if item.headers or item.authorization:
        raise Unsupported("tools", "the gateway holds the servers' credentials; send none")
    if item.server_url is None:
        upstream = watch.upstream(item.server_label)
    else:
        known = {upstream.name: upstream.config.url for upstream in watch.upstreams}
        if known.get(item.server_label) != item.server_url:
            raise Forbidden(
                f"server_url is not that of a registered server {item.server_label!r}; "
                "leave it out, or have the server registered"
            )
        upstream = watch.upstream(item.server_label)
    if upstream.listing is None:
        raise UpstreamDown(f"server {item.server_label} has not listed its tools yet")
