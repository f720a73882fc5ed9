"""The `openai` package and the Responses API: a call that the gateway makes, and one of ours."""

import json
import sys

from openai import OpenAI

responses = OpenAI(base_url=f"{sys.argv[1]}/v1", api_key="unused").responses
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

made = responses.create(model="support", input="How many SKU-MUG12 are left in Lyon?", tools=[DESK])
[call] = [item for item in made.output if item.type == "mcp_call"]

asked = responses.create(model="support", input="Where is my order ORD-1234?", tools=[TRACK])
[own] = [item for item in asked.output if item.type == "function_call"]
told = {
    "type": "function_call_output",
    "call_id": own.call_id,
    "output": f"{json.loads(own.arguments)['order_id']} is on its way.",
}
answered = responses.create(
    model="support", previous_response_id=asked.id, input=[told], tools=[TRACK]
)
seen = {
    "call": call.to_dict(),
    "text": made.output_text,
    "own": own.to_dict(),
    "answer": answered.output_text,
}
print(json.dumps(seen))
