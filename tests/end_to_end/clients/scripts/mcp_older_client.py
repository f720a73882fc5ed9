"""The MCP SDK's client as it was before 2.0."""

import asyncio
import json
import sys

from mcp import ClientSession, McpError
from mcp.client.streamable_http import streamable_http_client

url = sys.argv[1]


async def main() -> None:
    """List, call, call wrongly; then the same request in plain words."""
    async with (
        streamable_http_client(f"{url}/mcp/support") as (read, write, _),
        ClientSession(read, write) as desk,
    ):
        version = (await desk.initialize()).protocolVersion
        tools = [tool.name for tool in (await desk.list_tools()).tools]
        called = await desk.call_tool("track_order", {"order_id": "ORD-1234"})
        broken = await desk.call_tool("track_order", {"order_id": "12"})
        try:
            await desk.call_tool("track_parcel", {})
        except McpError as refused:
            unknown = refused.error.model_dump()
    async with (
        streamable_http_client(f"{url}/mcp/support?tools=route") as (read, write, _),
        ClientSession(read, write) as lean,
    ):
        await lean.initialize()
        lean_tools = [tool.name for tool in (await lean.list_tools()).tools]
        routed = await lean.call_tool("route", {"request": "Where is my order ORD-1234?"})
        chat = await lean.call_tool("route", {"request": "Good morning! How are you?"})
    results = {"called": called, "broken": broken, "routed": routed, "chat": chat}
    shown = {
        name: result.model_dump(by_alias=True, mode="json") for name, result in results.items()
    }
    seen = {"version": version, "tools": tools, "lean": lean_tools, "unknown": unknown}
    print(json.dumps({**seen, **shown}))


asyncio.run(main())
