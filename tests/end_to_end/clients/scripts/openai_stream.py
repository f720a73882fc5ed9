"""The `openai` package, streaming: a whole job, put together from the deltas by hand."""

import json
import sys

import httpx2
from openai import OpenAI

url = sys.argv[1]
client = OpenAI(base_url=f"{url}/v1", api_key="unused")


def streamed(messages: list) -> dict[str, object]:
    """An answer put together from its deltas."""
    calls: list[dict[str, str]] = []
    text, finish, usage = "", None, None
    for chunk in client.chat.completions.create(
        model="support", messages=messages, stream=True, stream_options={"include_usage": True}
    ):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            finish = choice.finish_reason or finish
            for delta in choice.delta.tool_calls or ():
                if delta.index == len(calls):
                    calls.append({"id": delta.id, "name": delta.function.name, "arguments": ""})
                calls[delta.index]["arguments"] += delta.function.arguments or ""
    return {"calls": calls, "text": text, "finish": finish, "tokens": usage.total_tokens}


messages = [{"role": "user", "content": "Where is my order ORD-1234?"}]
asked = streamed(messages)
[call] = asked["calls"]
function = {"name": call["name"], "arguments": call["arguments"]}
made = {"id": call["id"], "type": "function", "function": function}
body = {"tool": call["name"], "arguments": json.loads(call["arguments"])}
result = httpx2.post(f"{url}/v1/tools/call", json=body).json()
messages += [
    {"role": "assistant", "tool_calls": [made]},
    {"role": "tool", "tool_call_id": call["id"], "content": result["content"][0]["text"]},
]
answered = streamed(messages)
greeted = streamed([{"role": "user", "content": "Good morning! How are you?"}])
print(json.dumps({"asked": asked, "answered": answered, "chat": greeted}))
