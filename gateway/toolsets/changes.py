"""What a server says by itself: that its lists or resources changed, and log lines.

The handshake era tells of changes over the connection, the 2026-07-28 revision on a subscription
of which nothing is replayed. A change of the tools wakes the link's owner, who lists them again;
other changes are passed on as they come.
"""

from collections.abc import Callable

import anyio
from mcp.client.subscriptions import SubscriptionLost
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import ServerEvent, ToolsListChanged, event_from_wire
from mcp.types import METHOD_NOT_FOUND, ServerNotification

from gateway.toolsets.link import Link

_FIRST_DELAY_S, _LAST_DELAY_S = 0.2, 30.0

OnNews = Callable[[ServerEvent], None]


async def hear(message: ServerNotification, link: Link, on_news: OnNews) -> None:
    """Take in one notification."""
    if link.modern:
        await link.pass_on(message)
        return  # changes arrive on the subscription
    data = message.model_dump(by_alias=True, mode="json", exclude_none=True)
    event = event_from_wire(data["method"], data.get("params"))
    if event is None:
        await link.pass_on(message)
    else:
        _take(event, link, on_news)


async def follow(link: Link, on_news: OnNews) -> None:
    """Keep a subscription open, as long as the server offers one.

    Nothing is replayed, so every beginning and every end of a subscription asks for a list.
    """
    delay = _FIRST_DELAY_S
    while True:
        try:
            async with link.client.listen(
                tools_list_changed=True,
                prompts_list_changed=link.offers.prompts is not None,
                resources_list_changed=link.offers.resources is not None,
            ) as subscription:
                if subscription.honored.tools_list_changed:
                    link.wake.set()
                async for event in subscription:
                    delay = _FIRST_DELAY_S
                    _take(event, link, on_news)
                if subscription.honored.tools_list_changed:
                    link.wake.set()
        except SubscriptionLost:
            link.wake.set()
        except MCPError as exc:
            if exc.code == METHOD_NOT_FOUND:
                return  # the server offers no subscriptions: the poll remains
        except TimeoutError:
            pass
        await anyio.sleep(delay)
        delay = min(2 * delay, _LAST_DELAY_S)


def _take(event: ServerEvent, link: Link, on_news: OnNews) -> None:
    if isinstance(event, ToolsListChanged):
        link.wake.set()
    else:
        on_news(event)
