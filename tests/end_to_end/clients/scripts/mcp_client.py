"""The MCP SDK's client: `auto` finds the era itself, `legacy` shakes hands as older ones do."""

import asyncio
import json
import sys

from mcp import Client, MCPError

url, mode = sys.argv[1:]


async def main() -> None:
    """List, call, call wrongly; then the same request in plain words."""
    async with Client(f"{url}/mcp/support", mode=mode) as desk:
        tools = [tool.name for tool in (await desk.list_tools()).tools]
        called = await desk.call_tool("track_order", {"order_id": "ORD-1234"})
        broken = await desk.call_tool("track_order", {"order_id": "12"})
        try:
            await desk.call_tool("track_parcel", {})
        except MCPError as refused:
            unknown = refused.error.model_dump()
        version = desk.protocol_version
    async with Client(f"{url}/mcp/support?tools=route", mode=mode) as lean:
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
