"""A real LLM server but for the LLM: Chat Completions whose answers a test writes down."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

KEY = "sk-hush-4711"


def says(text: str) -> dict[str, Any]:
    """An answer in words."""
    return {"content": text}


def calls(*made: tuple[str, Any], text: str | None = None) -> dict[str, Any]:
    """An answer with calls; arguments that are no text are written as JSON."""
    return {
        "content": text,
        "tool_calls": [
            {
                "id": f"llm_{index}",
                "type": "function",
                "function": {
                    "name": tool,
                    "arguments": value if isinstance(value, str) else json.dumps(value),
                },
            }
            for index, (tool, value) in enumerate(made)
        ],
    }


def cut_off(message: dict[str, Any], finish: str = "length") -> Response:
    """An answer that was not finished."""
    return JSONResponse(completion(message, finish))


class LlmDouble:
    """Answers one request after the other from a list; a response stands for itself."""

    def __init__(self, *answers: dict[str, Any] | Response) -> None:
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.holds = asyncio.Event()
        """Set when an answer that ends in `hold` waits; it never goes on."""
        self.left = asyncio.Event()
        """Set when the client of such an answer went."""
        self._answers: Sequence[dict[str, Any] | Response] = answers
        route = Route("/v1/chat/completions", self._complete, methods=["POST"])
        self.app = Starlette(routes=[route])

    async def _complete(self, request: Request) -> Response:
        body = await request.json()
        answer = self._answers[len(self.asked)]
        self.asked.append(body)
        self.keys.append(request.headers.get("authorization"))
        if isinstance(answer, Response):
            return answer
        if body.get("stream"):
            return StreamingResponse(self._stream(answer), media_type="text/event-stream")
        if answer.get("hold"):
            await self._hold(request)
        return JSONResponse(completion({k: v for k, v in answer.items() if k != "hold"}))

    async def _hold(self, request: Request) -> None:
        self.holds.set()
        while (await request.receive())["type"] != "http.disconnect":
            pass
        self.left.set()

    async def _stream(self, answer: dict[str, Any]) -> AsyncIterator[str]:
        yield ": a comment\n\n"
        for chunk in chunks(answer):
            yield f"data: {json.dumps(chunk)}\n\n"
        if answer.get("hold"):
            self.holds.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.left.set()
        yield "data: [DONE]\n\n"


def completion(message: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    finish = finish or ("tool_calls" if message.get("tool_calls") else "stop")
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    return {"model": "big-llm-1", "choices": [choice], "usage": usage}


def chunks(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The answer in pieces: each character of the text, each call in three."""

    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {
            "model": "big-llm-1",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        }

    made = [chunk({"role": "assistant", "content": ""})]
    made += [chunk({"content": character}) for character in answer.get("content") or ""]
    for index, call in enumerate(answer.get("tool_calls", ())):
        function = call["function"]
        text = function["arguments"]
        opening = {**call, "index": index, "function": {"name": function["name"], "arguments": ""}}
        made.append(chunk({"tool_calls": [opening]}))
        made += [
            chunk({"tool_calls": [{"index": index, "function": {"arguments": part}}]})
            for part in (text[:5], text[5:])
        ]
    if answer.get("hold"):
        return made
    made.append(chunk({}, "tool_calls" if answer.get("tool_calls") else "stop"))
    usage = {"prompt_tokens": 100, "completion_tokens": 10}
    return [*made, {"choices": [], "usage": usage}]
