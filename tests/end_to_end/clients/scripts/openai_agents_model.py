"""The OpenAI Agents SDK with the gateway as its chat-completions model and tools of its own."""

import asyncio
import json
import sys

from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool, set_tracing_disabled
from agents.result import RunResultBase
from openai import AsyncOpenAI

set_tracing_disabled(True)
ran: list[dict[str, str]] = []


@function_tool
def track_order(order_id: str) -> str:
    """Get the status and the shipping progress of one order."""
    ran.append({"order_id": order_id})
    return f"{order_id} is on its way."


def seen(result: RunResultBase) -> dict[str, object]:
    """A run: the steps that it took, and its last word."""
    return {"steps": [item.type for item in result.new_items], "answer": result.final_output}


async def main() -> None:
    """A job as a whole, a job as a stream, and chat."""
    client = AsyncOpenAI(base_url=f"{sys.argv[1]}/v1", api_key="unused")
    agent = Agent(
        name="Order desk",
        instructions="You are the order desk of a shop.",
        model=OpenAIChatCompletionsModel(model="support", openai_client=client),
        tools=[track_order],
    )
    whole = await Runner.run(agent, "Where is my order ORD-1234?")

    stream = Runner.run_streamed(agent, "Has order ORD-1236 arrived?")
    deltas = ""
    async for event in stream.stream_events():
        if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
            deltas += event.data.delta

    chat = await Runner.run(agent, "Good morning! How are you?")
    jobs = {"whole": seen(whole), "stream": {**seen(stream), "deltas": deltas}, "chat": seen(chat)}
    print(json.dumps({**jobs, "ran": ran}))


asyncio.run(main())
