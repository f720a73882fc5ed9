"""The `openai` package, with asyncio: an agent's own tools, several conversations at once."""

import asyncio
import json
import sys

from openai import AsyncOpenAI, pydantic_function_tool
from pydantic import BaseModel


class TrackOrder(BaseModel):
    """Get the status and the shipping progress of one order."""

    order_id: str


class CheckStock(BaseModel):
    """How many pieces of a product there are."""

    sku: str
    warehouse: str


TOOLS = [
    pydantic_function_tool(TrackOrder, name="track_order"),
    pydantic_function_tool(CheckStock, name="check_stock"),
]
ORDERS = {"ORD-1234": "shipped", "ORD-1236": "delivered"}
REQUESTS = ["Where is my order ORD-1234?", "Has order ORD-1236 arrived?", "Thanks, bye!"]


async def job(client: AsyncOpenAI, request: str) -> dict[str, object]:
    """Ask, run the tool here, tell its result, take the answer."""
    chat = client.chat.completions
    messages = [{"role": "user", "content": request}]
    asked = await chat.parse(model="support", messages=messages, tools=TOOLS)
    message = asked.choices[0].message
    if not message.tool_calls:
        return {"request": request, "call": None, "answer": message.content}
    messages.append(message)
    for call in message.tool_calls:
        wanted = call.function.parsed_arguments
        status = ORDERS[wanted.order_id]
        messages.append({"role": "tool", "tool_call_id": call.id, "content": f"it is {status}"})
    answered = await chat.create(model="support", messages=messages, tools=TOOLS)
    call = {"tool": type(wanted).__name__, "arguments": wanted.model_dump()}
    return {"request": request, "call": call, "answer": answered.choices[0].message.content}


async def main() -> None:
    """All jobs at once, then a request that must not call."""
    async with AsyncOpenAI(base_url=f"{sys.argv[1]}/v1", api_key="unused") as client:
        jobs = await asyncio.gather(*(job(client, request) for request in REQUESTS))
        models = [model.id async for model in client.models.list()]
        none = await client.chat.completions.create(
            model="support",
            messages=[{"role": "user", "content": REQUESTS[0]}],
            tools=TOOLS,
            tool_choice="none",
        )
    forbidden = none.choices[0].message.tool_calls
    print(json.dumps({"models": models, "jobs": jobs, "forbidden": forbidden}))


asyncio.run(main())
