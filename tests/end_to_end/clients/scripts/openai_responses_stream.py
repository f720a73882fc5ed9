"""The `openai` package streams responses: each event checked against its type, and its helper."""

import asyncio
import json
import sys

from openai import AsyncOpenAI, OpenAI

URL = f"{sys.argv[1]}/v1"
DESK = {"type": "mcp", "server_label": "support", "require_approval": "never"}
TRACK = {
    "type": "function",
    "name": "track_order",
    "description": "Get the status and the shipping progress of one order.",
    "parameters": {
        "type": "object",
        "properties": {"order_id": {"type": "string"}},
        "required": ["order_id"],
    },
}


def events(**body: object) -> list:
    """The events of a response. Raises ValidationError for one that is not as OpenAI has it."""
    responses = OpenAI(base_url=URL, api_key="unused").responses
    stream = responses.create(model="support", stream=True, **body)
    return [type(event).model_validate(event.to_dict()) for event in stream]


async def grown(**body: object) -> dict[str, object]:
    """What the package's own helper makes of a response, checked as a whole too."""
    async with (
        AsyncOpenAI(base_url=URL, api_key="unused") as client,
        client.responses.stream(model="support", **body) as stream,
    ):
        kinds = [event.type async for event in stream]
        final = await stream.get_final_response()
    return {"kinds": kinds, "id": final.id, "output": [item.to_dict() for item in final.output]}


made = events(input="How many SKU-MUG12 are left in Lyon?", tools=[DESK])
asked = asyncio.run(grown(input="Where is my order ORD-1234?", tools=[TRACK]))
[own] = asked["output"]
told = {
    "type": "function_call_output",
    "call_id": own["call_id"],
    "output": f"{json.loads(own['arguments'])['order_id']} is on its way.",
}
answered = asyncio.run(grown(input=[told], tools=[TRACK], previous_response_id=asked["id"]))
chat = events(input="Good morning! How are you?", tools=[TRACK], tool_choice="required")
seen = {
    "made": {
        "kinds": [event.type for event in made],
        "numbers": [event.sequence_number for event in made],
        "text": "".join(e.delta for e in made if e.type == "response.output_text.delta"),
        "final": made[-1].response.to_dict(),
    },
    "asked": asked,
    "answered": answered,
    "refusal": [event.refusal for event in chat if event.type == "response.refusal.done"],
}
print(json.dumps(seen))
