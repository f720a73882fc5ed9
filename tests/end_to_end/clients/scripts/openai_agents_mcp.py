"""The OpenAI Agents SDK with the gateway as its MCP server, and as its model too."""

import asyncio
import json
import sys

from agents import Agent, OpenAIChatCompletionsModel, Runner, set_tracing_disabled
from agents.mcp import MCPServerStreamableHttp
from openai import AsyncOpenAI

set_tracing_disabled(True)
url = sys.argv[1]


async def job(desk: MCPServerStreamableHttp) -> dict[str, object]:
    """The agent's tools are the gateway's: it asks the gateway, and calls there."""
    client = AsyncOpenAI(base_url=f"{url}/v1", api_key="unused")
    model = OpenAIChatCompletionsModel(model="support", openai_client=client)
    agent = Agent(name="Order desk", model=model, mcp_servers=[desk])
    result = await Runner.run(agent, "How many SKU-MUG12 are left in Lyon?")
    chat = await Runner.run(agent, "Good morning! How are you?")
    return {
        "steps": [item.type for item in result.new_items],
        "answer": result.final_output,
        "chat": {
            "steps": [item.type for item in chat.new_items],
            "answer": chat.final_output,
        },
    }


async def main() -> None:
    """Lists and calls of its own, then an agent's whole job, then `route`."""
    async with MCPServerStreamableHttp(params={"url": f"{url}/mcp/support"}, name="desk") as desk:
        tools = [tool.name for tool in await desk.list_tools()]
        called = await desk.call_tool("track_order", {"order_id": "ORD-1234"})
        broken = await desk.call_tool("track_order", {"order_id": "12"})
        agent = await job(desk)
    async with MCPServerStreamableHttp(params={"url": f"{url}/mcp/support?tools=route"}) as lean:
        lean_tools = [tool.name for tool in await lean.list_tools()]
        routed = await lean.call_tool("route", {"request": "Where is my order ORD-1234?"})
    results = {"called": called, "broken": broken, "routed": routed}
    shown = {
        name: result.model_dump(by_alias=True, mode="json") for name, result in results.items()
    }
    print(json.dumps({"tools": tools, "lean": lean_tools, **shown, "agent": agent}))


asyncio.run(main())
