"""The order desk as an MCP server, for both protocol eras; which transport carries it is not known.

A call goes: known tool -> arguments fit its schema -> the rule of that name -> text and data.
A refusal by schema or rule is a result with `isError`; an unknown tool is a protocol error.
The toolset can be replaced while the server runs, and every client that asked is told.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import anyio
from mcp.server import Server, ServerRequestContext
from mcp.server.context import CallNext, HandlerResult
from mcp.server.lowlevel import NotificationOptions
from mcp.server.models import InitializationOptions
from mcp.server.session import ServerSession
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ToolsListChanged
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    NotificationParams,
    PaginatedRequestParams,
    TextContent,
)

from mcp_servers.support import aftersales, orders, shop
from mcp_servers.support.desk import Answer, Desk, DeskError
from mcp_servers.support.toolset import Revision, Toolset, instructions, toolset

log = logging.getLogger("mcp_servers.support")

VERSION = "1.0.0"
NOTICE_TIMEOUT_S = 5.0
"""How long one client may take to accept a notification before the others are served."""

Context = ServerRequestContext[Any, Any]

RULES: Mapping[str, Callable[..., Answer]] = {
    "track_order": orders.track_order,
    "list_orders": orders.list_orders,
    "cancel_order": orders.cancel_order,
    "update_shipping_address": orders.update_shipping_address,
    "gift_wrap": orders.gift_wrap,
    "request_refund": aftersales.request_refund,
    "schedule_pickup": aftersales.schedule_pickup,
    "exchange_item": aftersales.exchange_item,
    "check_stock": shop.check_stock,
    "stock_level": shop.check_stock,
    "search_help": shop.search_help,
    "escalate": shop.escalate,
}


class SupportServer(Server[Any]):
    """The MCP server over one desk. Calls run one at a time, on the event loop's thread."""

    def __init__(self, desk: Desk, revision: Revision = 1) -> None:
        self.desk = desk
        self.toolset: Toolset = toolset(revision)
        self._handshake_sessions: set[ServerSession] = set()
        self._bus = InMemorySubscriptionBus()
        self._subscriptions = ListenHandler(self._bus)
        super().__init__(
            "support",
            version=VERSION,
            title="Order desk",
            instructions=instructions(),
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
            on_subscriptions_listen=self._subscriptions,
            get_tool_input_schema=lambda name: self.toolset.input_schema(name),
        )
        self.add_notification_handler(
            "notifications/initialized", NotificationParams, self._remember_session
        )
        self.middleware.append(self._keep_key_order)

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
    ) -> InitializationOptions:
        """As the SDK does, but tells handshake-era clients that the tool list can change."""
        options = notification_options or NotificationOptions(tools_changed=True)
        return super().create_initialization_options(options, experimental_capabilities, extensions)

    async def change_revision(self, revision: Revision) -> None:
        """Serve another revision from now on and tell every client; the same one is no change."""
        if revision == self.toolset.revision:
            log.info("already at revision %d", revision)
            return
        self.toolset = toolset(revision)
        sessions = tuple(self._handshake_sessions)
        log.info("now at revision %d; %d handshake sessions open", revision, len(sessions))
        await self._bus.publish(ToolsListChanged())
        async with anyio.create_task_group() as clients:
            for session in sessions:
                clients.start_soon(_tell, session)

    def end_subscriptions(self) -> None:
        """Close the streams of modern-era subscribers in the way that tells them it is meant."""
        self._subscriptions.close()

    async def _list_tools(
        self, ctx: Context, params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        return ListToolsResult(tools=list(self.toolset.tools))

    async def _call_tool(self, ctx: Context, params: CallToolRequestParams) -> CallToolResult:
        current, arguments = self.toolset, params.arguments or {}
        if params.name not in current.validators:
            raise MCPError(INVALID_PARAMS, f"Unknown tool: {params.name}")
        try:
            if complaints := current.complaints(params.name, arguments):
                return _refusal("The arguments do not fit the schema. " + "; ".join(complaints))
            answer = RULES[params.name](self.desk, **arguments)
        except DeskError as refusal:
            return _refusal(str(refusal))
        except Exception:
            log.exception("%s failed", params.name)
            return _refusal("The order desk failed; nothing was changed. Try again or escalate.")
        return CallToolResult(
            content=[TextContent(text=answer.text)], structured_content=answer.data
        )

    async def _remember_session(self, ctx: Context, params: NotificationParams) -> None:
        session = ctx.session
        self._handshake_sessions.add(session)
        # The only seam at which the SDK tells that a handshake connection has ended.
        connection = session._connection  # pyright: ignore[reportPrivateUsage]
        connection.exit_stack.callback(self._handshake_sessions.discard, session)

    async def _keep_key_order(self, ctx: Context, call_next: CallNext) -> HandlerResult:
        """Put input schemas back as written: the SDK re-orders their top-level keys.

        Without this, a drift in notation would never reach a client.
        """
        result = await call_next(ctx)
        if ctx.method == "tools/list" and isinstance(result, dict):
            for tool in result["tools"]:
                written = self.toolset.input_schema(tool["name"])
                tool["inputSchema"] = written or tool["inputSchema"]
        return result


def _refusal(message: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=message)], is_error=True)


async def _tell(session: ServerSession) -> None:
    """Best effort: a client that hangs or has gone must not keep the news from others."""
    try:
        with anyio.move_on_after(NOTICE_TIMEOUT_S):
            await session.send_tool_list_changed()
    except Exception:
        log.warning("a client could not be told of the new tools", exc_info=True)
