"""Read a server's whole tool list: all pages or nothing, and a bad tool costs only itself."""

from dataclasses import dataclass, field
from typing import Any, cast

from mcp.client.client import Client
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INTERNAL_ERROR,
    ListToolsRequest,
    ListToolsResult,
    PaginatedRequestParams,
    Tool,
)
from pydantic import ValidationError

from gateway.toolsets.held import Held

_MAX_PAGES = 1_000
_MAX_TTL_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Listing:
    """What a server offers: its tools in order, and the ones left out with the reason. `held` is
    what waits for an approval, once `holds` has looked at it. `ttl_s` is how long the server says
    that the list stays good, 0 if it does not; it is no part of what is offered."""

    tools: tuple[Tool, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    held: tuple[Held, ...] = ()
    ttl_s: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class _Page:
    tools: list[Tool]
    left_out: list[tuple[str, str]]
    cursor: str | None
    ttl_ms: int


async def read_listing(client: Client) -> Listing:
    """All pages of `tools/list`, past every cache.

    Raises:
        MCPError: the server refused, the connection broke, or the pages never end.
    """
    tools: list[Tool] = []
    left_out: list[tuple[str, str]] = []
    cursor: str | None = None
    seen: set[str] = set()
    ttl_ms = _MAX_TTL_MS
    for _ in range(_MAX_PAGES):
        page = await _page(client, cursor)
        tools += page.tools
        left_out += page.left_out
        ttl_ms = min(ttl_ms, page.ttl_ms)  # the list is no fresher than its stalest page
        cursor = page.cursor
        if not cursor:  # some servers end with an empty string
            return _without_doubles(tools, left_out, ttl_ms / 1000)
        if cursor in seen:
            raise MCPError(INTERNAL_ERROR, "tools/list repeats a cursor")
        seen.add(cursor)
    raise MCPError(INTERNAL_ERROR, f"tools/list has more than {_MAX_PAGES} pages")


async def _page(client: Client, cursor: str | None) -> _Page:
    try:
        page = await client.list_tools(cursor=cursor, cache_mode="refresh")
    except ValidationError:
        return await _lenient_page(client, cursor)
    return _Page(page.tools, [], page.next_cursor, page.ttl_ms)


async def _lenient_page(client: Client, cursor: str | None) -> _Page:
    """One page past the SDK's validation, which refuses the whole page for one bad tool."""
    session: Any = client.session
    request = ListToolsRequest(params=PaginatedRequestParams(cursor=cursor))
    data = request.model_dump(by_alias=True, mode="json", exclude_none=True)
    options: dict[str, Any] = {"timeout": client.read_timeout_seconds}
    session._stamp(data, options)
    raw = await session._dispatcher.send_raw_request(data["method"], data.get("params"), options)
    listed = raw.get("tools")
    if not isinstance(listed, list):
        raise MCPError(INTERNAL_ERROR, "tools/list answered without a list of tools")
    good: list[Tool] = []
    bad: list[tuple[str, str]] = []
    for item in cast(list[Any], listed):
        try:
            good.append(Tool.model_validate(item, by_name=False))
        except ValidationError as exc:
            name = cast(dict[str, Any], item).get("name") if isinstance(item, dict) else None
            bad.append((str(name), f"not an MCP tool: {exc.errors()[0]['msg']}"))
    # The session must know the good tools, or each call would list (and fail) again.
    known = session._absorb_tool_listing(ListToolsResult(tools=good), complete=False)
    following, ttl_ms = raw.get("nextCursor"), raw.get("ttlMs")
    cursor = following if isinstance(following, str) else None
    return _Page(known.tools, bad, cursor, ttl_ms if isinstance(ttl_ms, int) else 0)


def _without_doubles(tools: list[Tool], left_out: list[tuple[str, str]], ttl_s: float) -> Listing:
    kept: dict[str, Tool] = {}
    for tool in tools:
        if tool.name in kept:
            left_out.append((tool.name, "listed twice; the first one counts"))
        kept.setdefault(tool.name, tool)
    return Listing(tuple(kept.values()), tuple(left_out), ttl_s=ttl_s)
