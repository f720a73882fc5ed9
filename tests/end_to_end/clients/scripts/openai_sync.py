"""The `openai` package, blocking: a whole job with the tools that the gateway knows and runs."""

import json
import sys

import httpx2
from openai import OpenAI

url = sys.argv[1]
client = OpenAI(base_url=f"{url}/v1", api_key="unused")
chat = client.chat.completions

messages = [{"role": "user", "content": "Where is my order ORD-1234?"}]
asked = chat.create(model="support", messages=messages).choices[0]
[call] = asked.message.tool_calls
body = {"tool": call.function.name, "arguments": json.loads(call.function.arguments)}
result = httpx2.post(f"{url}/v1/tools/call", json=body).json()
content = json.dumps(result["structuredContent"])
messages += [asked.message, {"role": "tool", "tool_call_id": call.id, "content": content}]
answered = chat.create(model="support", messages=messages).choices[0]

# The same conversation goes on with another request.
messages += [answered.message, {"role": "user", "content": "How many SKU-MUG12 are in Lyon?"}]
following = chat.create(model="support", messages=messages).choices[0]

seen = {
    "models": [model.id for model in client.models.list()],
    "looked_up": client.models.retrieve("support").id,
    "finish": asked.finish_reason,
    "call": body,
    "data": result["structuredContent"],
    "answer": answered.message.content,
    "following": following.message.tool_calls[0].function.model_dump(),
}
print(json.dumps(seen))
