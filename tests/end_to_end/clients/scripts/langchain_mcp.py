"""langchain-mcp-adapters: the gateway's tools in a LangGraph agent, and called directly."""

import asyncio
import json
import sys

from langchain.agents import create_agent
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import BaseTool
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_openai import ChatOpenAI

url = sys.argv[1]
client = MultiServerMCPClient(
    {
        "desk": {"transport": "http", "url": f"{url}/mcp/support"},
        "lean": {"transport": "http", "url": f"{url}/mcp/support?tools=route"},
    }
)


async def call(tool: BaseTool, **arguments: str) -> dict[str, object]:
    """One call, as an agent's tool node makes it."""
    made = {"type": "tool_call", "id": "1", "name": tool.name, "args": arguments}
    result: ToolMessage = await tool.ainvoke(made)
    return {"status": result.status, "text": result.text, "artifact": result.artifact}


async def job(tools: list[BaseTool]) -> dict[str, object]:
    """The agent's tools are the gateway's: it asks the gateway, and calls there."""
    model = ChatOpenAI(model="support", base_url=f"{url}/v1", api_key="unused")
    agent = create_agent(model, tools)
    request = {"messages": [HumanMessage("How many SKU-MUG12 are left in Lyon?")]}
    messages = (await agent.ainvoke(request))["messages"]
    morning = {"messages": [HumanMessage("Good morning! How are you?")]}
    chat = (await agent.ainvoke(morning))["messages"]
    return {
        "types": [message.type for message in messages],
        "calls": messages[1].tool_calls,
        "answer": messages[-1].text,
        "chat": [message.type for message in chat],
    }


async def main() -> None:
    """Lists and calls of its own, then an agent's whole job, then `route`."""
    tools = await client.get_tools(server_name="desk")
    track = next(tool for tool in tools if tool.name == "track_order")
    [route] = await client.get_tools(server_name="lean")
    seen = {
        "tools": [tool.name for tool in tools],
        "lean": [route.name],
        "called": await call(track, order_id="ORD-1234"),
        "broken": await call(track, order_id="12"),
        "routed": await call(route, request="Where is my order ORD-1234?"),
        "agent": await job(tools),
    }
    print(json.dumps(seen))


asyncio.run(main())
