"""What the tests of OpenAI's faces share: asking a served gateway, and reading what it answers."""

from typing import Any

import httpx

from tests.adapters import support_toolset
from tests.gateway.serving import ASK, Served, problem_of

USER = {"role": "user", "content": ASK}


def offered(name: str, **parameters: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


def offered_desk() -> list[dict[str, Any]]:
    return [
        {"type": "function", "function": {
            "name": tool.name, "description": tool.description, "parameters": tool.input_schema}}
        for tool in support_toolset().tools
    ]  # fmt: skip


async def chat(gateway: Served, *messages: Any, **body: Any) -> httpx.Response:
    return await gateway.post("/v1/chat/completions", {"messages": messages or [USER], **body})


def message_of(response: httpx.Response) -> dict[str, Any]:
    (choice,) = response.json()["choices"]
    return {**choice["message"], "finish_reason": choice["finish_reason"]}


def error_of(response: httpx.Response) -> dict[str, Any]:
    """The error of a response in OpenAI's form, and the document round it checked for shape."""
    problem = problem_of(response)
    value = problem["error"]
    assert set(value) == {"message", "type", "param", "code"}
    assert value["code"] == problem["code"]
    return value
