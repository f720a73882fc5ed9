"""The gateway as one MCP server of both protocol eras, over the SDK's low-level `Server`.

The SDK owns handshake, envelope and errors; here each method finds what answers it. Only
`tools/list` is answered past the SDK's parsing, from the list rendered with the catalog.
"""

import logging
from collections.abc import Mapping
from typing import Any

from mcp.server import Server
from mcp.server.context import CallNext, HandlerResult
from mcp.server.lowlevel import NotificationOptions
from mcp.server.models import InitializationOptions
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import x_mcp_header_map
from mcp.types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolRequestParams,
    CompleteRequestParams,
    GetPromptRequestParams,
    NotificationParams,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    RequestParams,
    SetLevelRequestParams,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    UnsubscribeRequestParams,
)
from mcp.types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from gateway.errors import PointsmanError
from gateway.faces.mcp.agent import AgentRequest, Context
from gateway.faces.mcp.calls import ToolCalls, as_mcp
from gateway.faces.mcp.gathered import LISTS, READS, Gathered
from gateway.faces.mcp.news import News
from gateway.faces.mcp.offer import SERVER_INFO, Address, Offer, Offers
from gateway.faces.mcp.session import AgentSession
from gateway.faces.parts import Parts
from gateway.toolsets.caller import CALLER
from gateway.toolsets.catalog import Catalog
from gateway.types import Call

logger = logging.getLogger(__name__)

ADDRESS = "pointsman.address"
"""Where the HTTP face leaves the address of a request, in its ASGI scope."""

_COMPLETE = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
_PARAMS: Mapping[str, type[RequestParams]] = {
    "prompts/list": PaginatedRequestParams,
    "resources/list": PaginatedRequestParams,
    "resources/templates/list": PaginatedRequestParams,
    "prompts/get": GetPromptRequestParams,
    "resources/read": ReadResourceRequestParams,
    "resources/subscribe": SubscribeRequestParams,
    "resources/unsubscribe": UnsubscribeRequestParams,
    "completion/complete": CompleteRequestParams,
}


class McpServer(Server[Any]):
    """All addresses of the MCP face; a request says which it is for."""

    def __init__(self, parts: Parts, address: Address | None = None) -> None:
        """`address` is that of requests that name none (stdio)."""
        self.offers = Offers(parts)
        self.news = News(parts.watch, self.offers, parts.config.limits.open_streams)
        parts.active.on_change(self.news.look_again)
        parts.active.on_warning(lambda n: self.news.warn(n.as_log(), n.live.name))
        if parts.measuring is not None:
            parts.measuring.on_measured(lambda m: self.news.warn(m.as_log(), m.notice.live.name))
        self._parts = parts
        self._calls = ToolCalls(parts.pipeline, parts.metrics.chats.approvals)
        self._address = address or Address()
        self._gathered = Gathered(parts.watch)
        self._mirrored: Mapping[str, Mapping[str, Any]] = {}
        self._mirrored_of: Catalog | None = None
        super().__init__(
            SERVER_INFO["name"],
            version=SERVER_INFO["version"],
            title=SERVER_INFO["title"],
            on_call_tool=self._call,
            on_subscriptions_listen=self._listen,
            get_tool_input_schema=self._input_schema,
        )
        # Answered by `_intercept`; registered so that the SDK advertises it.
        self.add_request_handler("tools/list", PaginatedRequestParams, self._list_tools)
        for method, params in _PARAMS.items():
            self.add_request_handler(method, params, self._gather)
        self.add_request_handler("logging/setLevel", SetLevelRequestParams, self._set_level)
        self.add_notification_handler("notifications/initialized", NotificationParams, self._begun)
        self.add_notification_handler(
            "notifications/roots/list_changed", NotificationParams, self._roots
        )
        self.middleware = [self._intercept]

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
    ) -> InitializationOptions:
        """What a client of the handshake era is told: every list may change."""
        changing = NotificationOptions(True, True, True)
        return super().create_initialization_options(
            changing, experimental_capabilities, extensions
        )

    def address(self, ctx: Context) -> Address:
        """The address that a request came to."""
        return self._address if ctx.request is None else ctx.request.scope[ADDRESS]

    def offer(self, ctx: Context) -> Offer:
        """What is offered to a request. Raises MCPError if its toolset is gone."""
        try:
            return self.offers.get(self.address(ctx))
        except PointsmanError as exc:
            raise as_mcp(exc) from exc

    async def _intercept(self, ctx: Context, call_next: CallNext) -> HandlerResult:
        if ctx.method == "tools/list" and _is_ready(ctx) and not (ctx.params or {}).get("cursor"):
            offer = self.offer(ctx)
            modern = ctx.protocol_version in MODERN_PROTOCOL_VERSIONS
            return dict(offer.listed_modern if modern else offer.listed)
        try:
            result = await call_next(ctx)
        except (MCPError, ValidationError):
            raise
        except Exception as exc:
            # The SDK would tell an agent of the handshake era what the exception says.
            logger.exception("%s failed", ctx.method)
            raise MCPError(INTERNAL_ERROR, "Internal error") from exc
        if ctx.method in ("initialize", "server/discover") and isinstance(result, dict):
            return self._introduced(result, self.offer(ctx))
        return result

    def _introduced(self, result: dict[str, Any], offer: Offer) -> dict[str, Any]:
        """With the instructions of the servers that stand behind."""
        upstreams = [up for up in self._parts.watch.upstreams if up.name in offer.servers]
        links = [up.link for up in upstreams if up.link is not None]
        said = [text for link in links if (text := link.client.session.instructions)]
        return {**result, "instructions": "\n\n".join(said)} if said else result

    async def _list_tools(self, ctx: Context, params: PaginatedRequestParams) -> dict[str, Any]:
        if params.cursor is not None:
            raise MCPError(INVALID_PARAMS, "there is no such page: all tools are on the first")
        return dict(self.offer(ctx).listed)

    async def _call(self, ctx: Context, params: CallToolRequestParams) -> Any:
        call = Call(params.name, params.arguments or {})
        tools, request = self.offer(ctx).tools, AgentRequest(ctx)
        return await self._calls.make(tools, self.address(ctx), request, call)

    async def _gather(self, ctx: Context, params: RequestParams) -> dict[str, Any]:
        servers, asked = self.offer(ctx).servers, _plain(ctx.params)
        request = AgentRequest(ctx)
        token = CALLER.set(request)
        try:
            if ctx.method in LISTS:
                found = await self._gathered.listed(servers, ctx.method, asked)
            elif ctx.method in READS:
                found = await self._gathered.read(servers, ctx.method, asked)
            else:
                found = await self._gathered.complete(servers, asked)
        finally:
            CALLER.reset(token)
            await request.settled()
        # A server of the handshake era says nothing of these; the SDK drops what does not belong.
        return {**_COMPLETE, **found} if request.modern else found

    async def _set_level(self, ctx: Context, params: SetLevelRequestParams) -> dict[str, Any]:
        await AgentSession.of(ctx).set_level({"level": params.level})
        return {}

    async def _begun(self, ctx: Context, params: NotificationParams) -> None:
        session = AgentSession.of(ctx)
        self.news.join(session, self.address(ctx))
        session.on_close(lambda: self.news.leave(session))

    async def _roots(self, ctx: Context, params: NotificationParams) -> None:
        await AgentSession.of(ctx).roots_changed()

    async def _listen(
        self, ctx: Context, params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        self.offer(ctx)  # its toolset may be gone
        return await self.news.listen(ctx, params, self.address(ctx))

    def _input_schema(self, tool: str) -> Mapping[str, Any] | None:
        """Only of tools whose arguments are mirrored in headers: the SDK reads it at every call."""
        catalog = self._parts.watch.catalog
        if catalog is not self._mirrored_of:
            tools = (entry.tool for entry in catalog.entries.values())
            self._mirrored = {
                item.name: item.input_schema
                for item in tools
                if x_mcp_header_map(item.input_schema)
            }
            self._mirrored_of = catalog
        return self._mirrored.get(tool)


def _is_ready(ctx: Context) -> bool:
    modern = ctx.protocol_version in MODERN_PROTOCOL_VERSIONS
    return modern or ctx.session.client_params is not None


def _plain(params: Mapping[str, Any] | None) -> dict[str, Any]:
    """The parameters as the agent sent them; the connection adds its own `_meta`."""
    return {key: value for key, value in (params or {}).items() if key != "_meta"}
