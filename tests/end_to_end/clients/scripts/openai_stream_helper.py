"""The `openai` package, streaming with asyncio through its own helper, which tells of events."""

import asyncio
import json
import sys

from openai import AsyncOpenAI

TRACK = {
    "type": "function",
    "function": {
        "name": "track_order",
        "description": "Get the status and the shipping progress of one order.",
        "parameters": {
            "type": "object",
            "properties": {"order_id": {"type": "string"}},
            "required": ["order_id"],
        },
    },
}


async def main() -> None:
    """One call: its events, and the message that the helper puts together."""
    messages = [{"role": "user", "content": "Has order ORD-1236 arrived?"}]
    async with (
        AsyncOpenAI(base_url=f"{sys.argv[1]}/v1", api_key="unused") as client,
        client.chat.completions.stream(model="support", messages=messages, tools=[TRACK]) as stream,
    ):
        kinds = [event.type async for event in stream]
        final = (await stream.get_final_completion()).choices[0]
    message = final.message.to_dict()
    print(json.dumps({"kinds": kinds, "message": message, "finish": final.finish_reason}))


asyncio.run(main())
