"""Pydantic AI with the gateway as its model and tools of its own."""

import asyncio
import json
import sys

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.run import AgentRunResult

provider = OpenAIProvider(base_url=f"{sys.argv[1]}/v1", api_key="unused")
agent = Agent(
    OpenAIChatModel("support", provider=provider),
    instructions="You are the order desk of a shop.",
)
ran: list[dict[str, str]] = []


@agent.tool_plain
def track_order(order_id: str) -> dict[str, str]:
    """Get the status and the shipping progress of one order."""
    ran.append({"order_id": order_id})
    return {"order_id": order_id, "status": "on its way"}


def seen(result: AgentRunResult) -> dict[str, object]:
    """A run: the parts of its messages, its answer, and what it used."""
    parts = [part.part_kind for message in result.all_messages() for part in message.parts]
    return {"parts": parts, "answer": result.output, "requests": result.usage.requests}


async def main() -> None:
    """A job as a whole, the conversation going on, a job as a stream, and chat."""
    whole = await agent.run("Where is my order ORD-1234?")
    after = await agent.run("And ORD-1236?", message_history=whole.all_messages())
    async with agent.run_stream("Has order ORD-1236 arrived?") as stream:
        pieces = [piece async for piece in stream.stream_text(delta=True, debounce_by=None)]
        parts = [part.part_kind for message in stream.all_messages() for part in message.parts]
    chat = await agent.run("Good morning! How are you?")
    jobs = {"whole": seen(whole), "after": seen(after), "chat": seen(chat)}
    print(json.dumps({**jobs, "stream": {"parts": parts, "pieces": pieces}, "ran": ran}))


asyncio.run(main())
