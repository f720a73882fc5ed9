"""The OpenAI Agents SDK as it is: its default model speaks the Responses API, and streams."""

import asyncio
import json
import sys

from agents import (
    Agent,
    HostedMCPTool,
    Runner,
    function_tool,
    set_default_openai_client,
    set_tracing_disabled,
)
from agents.result import RunResultBase
from openai import AsyncOpenAI

set_tracing_disabled(True)
set_default_openai_client(AsyncOpenAI(base_url=f"{sys.argv[1]}/v1", api_key="unused"))
DESK = {"type": "mcp", "server_label": "support", "require_approval": "never"}
ran: list[dict[str, str]] = []


@function_tool
def track_order(order_id: str) -> str:
    """Get the status and the shipping progress of one order."""
    ran.append({"order_id": order_id})
    return f"{order_id} is on its way."


def seen(result: RunResultBase) -> dict[str, object]:
    """A run: the steps that it took, and its last word."""
    return {"steps": [item.type for item in result.new_items], "answer": result.final_output}


async def streamed(agent: Agent, request: object) -> dict[str, object]:
    """A run as a stream: its steps, its words as they came, and its last word."""
    stream = Runner.run_streamed(agent, request)
    deltas, kinds = "", []
    async for event in stream.stream_events():
        if event.type == "raw_response_event":
            kinds.append(event.data.type)
            if event.data.type == "response.output_text.delta":
                deltas += event.data.delta
    return {**seen(stream), "deltas": deltas, "kinds": kinds, "history": stream.to_input_list()}


async def main() -> None:
    """A job with a tool of its own, another that follows it, one the gateway runs, and chat."""
    words = {"name": "Order desk", "instructions": "You are the order desk of a shop."}
    agent = Agent(**words, model="support", tools=[track_order])
    whole = seen(await Runner.run(agent, "Where is my order ORD-1234?"))
    stream = await streamed(agent, "Has order ORD-1236 arrived?")
    history = stream.pop("history")
    history.append({"role": "user", "content": "Where is my order ORD-1234?"})
    after = await streamed(agent, history)
    desk = Agent(**words, model="support", tools=[HostedMCPTool(tool_config=DESK)])
    hosted = await streamed(desk, "How many SKU-MUG12 are left in Lyon?")
    chat = await streamed(agent, "Good morning! How are you?")
    jobs = {"whole": whole, "stream": stream, "after": after, "hosted": hosted, "chat": chat}
    print(json.dumps({**jobs, "ran": ran}, default=str))


asyncio.run(main())
