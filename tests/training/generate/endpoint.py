"""A teacher for tests: an endpoint in memory that answers as told, and answers to tell it."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import httpx

from tests.adapters import support_toolset
from training.generate.plan import Plan, Task
from training.generate.voices import Voice
from training.teacher import Teacher

DESK = support_toolset()
VOICE = Voice("plain", "Plainly.")
KEY = "sk-very-secret"


def completion(text: Any, ended: str = "stop", **message: Any) -> httpx.Response:
    """A chat completion of 100 prompt and 20 completion tokens."""
    choice = {"message": {"role": "assistant", "content": text, **message}, "finish_reason": ended}
    usage = {"prompt_tokens": 100, "completion_tokens": 20}
    return httpx.Response(200, json={"choices": [choice], "usage": usage})


class Endpoint:
    """Answers requests in their order, the last answer again and again; keeps what was asked.

    An answer is a response, an error to raise, or a callable that takes the request's body.
    """

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []
        self.pauses: list[float] = []

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        now = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(now, Exception):
            raise now
        if callable(now):
            return now(json.loads(request.content))
        # A response is used up by being read.
        return httpx.Response(now.status_code, headers=now.headers, content=now.content)

    def teacher(self, **settings: Any) -> Teacher:
        async def pause(seconds: float) -> None:
            self.pauses.append(seconds)

        transport = httpx.MockTransport(self.answer)
        return Teacher(
            "https://teacher.test/v1", "large", KEY, transport=transport, pause=pause, **settings
        )


def task(number: int = 0, **changed: Any) -> Task:
    """A task of one call of track_order."""
    value: dict[str, Any] = {
        "id": f"call/track_order/{number}",
        "kind": "call",
        "voice": VOICE,
        "rows": 2,
        "angle": "Vary.",
        "tool": "track_order",
        **changed,
    }
    return Task(**value)


def plan(count: int, seed: int = 7) -> Plan:
    """So many tasks."""
    return Plan(tuple(task(number) for number in range(count)), seed)


def track(text: str, order: str = "ORD-4821", **more: Any) -> dict[str, Any]:
    """A row that wants to know where an order is."""
    target = {"tool": "track_order", "arguments": {"order_id": order}}
    return {"request": text, "target": target, "kind": "call", **more}


def lines(*rows: Any) -> str:
    """Rows as a teacher writes them."""
    return "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)


_WORDS = ("parcel", "box", "crate", "letter", "sack", "tube", "barrel", "bundle", "carton", "case")


def fresh_rows(count: int = 2) -> Callable[[Any], httpx.Response]:
    """Good rows, no two alike in all answers."""
    words: list[str] = [f"{one} and {two}" for one in _WORDS for two in _WORDS]

    def answer(_: Any) -> httpx.Response:
        said: Sequence[str] = [words.pop() for _ in range(count)]
        return completion(lines(*(track(f"where is the {w} of ORD-4821") for w in said)))

    return answer
