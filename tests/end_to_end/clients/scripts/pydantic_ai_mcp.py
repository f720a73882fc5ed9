"""Pydantic AI with the gateway as its MCP server, and as its model too."""

import asyncio
import json
import sys

from pydantic_ai import Agent, ModelRetry
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

url = sys.argv[1]


async def job(desk: MCPToolset) -> dict[str, object]:
    """The agent's tools are the gateway's: it asks the gateway, and calls there."""
    provider = OpenAIProvider(base_url=f"{url}/v1", api_key="unused")
    agent = Agent(OpenAIChatModel("support", provider=provider), toolsets=[desk])
    result = await agent.run("How many SKU-MUG12 are left in Lyon?")
    chat = await agent.run("Good morning! How are you?")
    parts = [part for message in result.all_messages() for part in message.parts]
    return {
        "calls": [
            {"tool": part.tool_name, "arguments": part.args_as_dict()}
            for part in parts
            if part.part_kind == "tool-call"
        ],
        "answer": result.output,
        "chat": [part.part_kind for message in chat.all_messages() for part in message.parts],
    }


async def main() -> None:
    """Lists and calls of its own, then an agent's whole job, then `route`."""
    async with MCPToolset(f"{url}/mcp/support") as desk:
        tools = [tool.name for tool in await desk.list_tools()]
        called = await desk.direct_call_tool("track_order", {"order_id": "ORD-1234"})
        try:
            broken = await desk.direct_call_tool("track_order", {"order_id": "12"})
        except ModelRetry as refused:
            broken = refused.message
        agent = await job(desk)
    async with MCPToolset(f"{url}/mcp/support?tools=route") as lean:
        lean_tools = [tool.name for tool in await lean.list_tools()]
        routed = await lean.direct_call_tool("route", {"request": "Where is my order ORD-1234?"})
    results = {"called": called, "broken": broken, "routed": routed}
    print(json.dumps({"tools": tools, "lean": lean_tools, **results, "agent": agent}))


asyncio.run(main())
