"""Who answers a turn of a chat: the router, the fallback, or nobody but the reason or the result.

- a turn that ends with a tool's result, or that must not call, is nothing to route;
- a call that the router makes and the agent lets be made is the answer;
- what is left (no_tool, withheld, too long for the router, engine down) goes to the fallback;
- without one, a tool's result is the answer, and otherwise the reason is.

Faces stand above and write protocols; pipeline and fallback stand below.
"""

import json
import time
from collections.abc import AsyncGenerator, Container, Sequence
from contextlib import aclosing
from dataclasses import replace

from gateway.adapters.active import Active, ActiveAdapters
from gateway.choice import Choice, allowed
from gateway.errors import BadRequest, ConversationTooLong, EngineDown, PointsmanError
from gateway.exchange import Reply, RouteRequest
from gateway.fallback.takeover import Asked, Fallback, Taken
from gateway.observe import Metrics
from gateway.offered import Offered, Offering
from gateway.pipeline import Pipeline
from gateway.turn import Answer, AnswerPath, Begun, Turn
from gateway.types import Call

_CHARS_PER_TOKEN = 4
"""A rule of thumb for English and JSON; good enough for a count of what was saved."""


class Assistant:
    """Answers turns; one object serves all faces that speak OpenAI's protocols."""

    def __init__(
        self,
        pipeline: Pipeline,
        active: ActiveAdapters,
        fallback: Fallback | None,
        metrics: Metrics,
    ) -> None:
        self._pipeline = pipeline
        self._active = active
        self._fallback = fallback
        self._metrics = metrics.chats
        self._offering = Offering()

    async def close(self) -> None:
        """Close the fallback's connections; idempotent."""
        if self._fallback is not None:
            await self._fallback.close()

    async def begin(self, turn: Turn) -> Begun:
        """Decide who answers, and begin.

        Raises:
            BadRequest: the choice names a tool that is not offered, or there is none to call.
            UnknownModel, UpstreamDown, and what the pipeline raises where no fallback takes over.
        """
        started = time.perf_counter()
        active = self._active.resolve(turn.model)
        offered = self._offered(turn, active)
        tools = offered.by_name
        _require_choice(turn.choice, tools)
        drift = active.drift_header if turn.tools is None else None
        asked = Asked(turn.spoken, turn.messages, tools, turn.choice, turn.settings, turn.stream)
        if turn.messages[-1].role == "tool" or turn.choice.mode == "none":
            because = "result" if turn.messages[-1].role == "tool" else "choice"
            if self._fallback is not None:
                return self._defer(self._fallback, asked, because, None, drift, started)
            path, text = _unrouted(turn)
            answer = Answer(path, active.adapter.version, text=text)
            return self._begun(turn, offered, answer, None, drift, started)
        try:
            reply = await self._pipeline.handle(_request(turn))
        except (ConversationTooLong, EngineDown) as exc:
            if self._fallback is None:
                raise
            return self._defer(self._fallback, asked, exc.code, None, drift, started)
        decision = allowed(reply.decision, turn.choice, tools)
        outcome, drift = decision.outcome, reply.drift_header
        if outcome != "call" and self._fallback is not None:
            because = decision.reason_code or outcome
            return self._defer(self._fallback, asked, because, outcome, drift, started)
        answer = _routed(reply, decision.calls, decision.reason, turn.choice)
        return self._begun(turn, offered, answer, outcome, drift, started)

    def _offered(self, turn: Turn, active: Active) -> Offered:
        if turn.tools is not None:
            return self._offering.sent(turn.tools).only(turn.only)
        return self._offering.live(active.live).only(turn.only)

    def _defer(
        self,
        fallback: Fallback,
        asked: Asked,
        because: str,
        outcome: str | None,
        drift: str | None,
        started: float,
    ) -> Begun:
        self._metrics.deferred.labels(because).inc()
        pieces = self._taken_over(fallback, asked, started)
        return Begun("fallback", fallback.model, outcome, drift, pieces)

    async def _taken_over(
        self, fallback: Fallback, asked: Asked, started: float
    ) -> AsyncGenerator[str | Answer]:
        try:
            async with aclosing(fallback.take_over(asked)) as pieces:
                async for piece in pieces:
                    yield piece if isinstance(piece, str) else self._given(piece, started)
        except PointsmanError as exc:
            self._metrics.fallback_errors.labels(exc.code).inc()
            raise

    def _given(self, taken: Taken, started: float) -> Answer:
        answer = Answer(
            "fallback", taken.model, taken.decision.calls, taken.ids,
            taken.text, taken.refusal, taken.finish, taken.usage,
        )  # fmt: skip
        tokens = self._metrics.fallback_tokens
        tokens.labels("prompt").inc(taken.usage.prompt_tokens)
        tokens.labels("completion").inc(taken.usage.completion_tokens)
        self._count(answer, started)
        return answer

    def _begun(
        self,
        turn: Turn,
        offered: Offered,
        answer: Answer,
        outcome: str | None,
        drift: str | None,
        started: float,
    ) -> Begun:
        if answer.text is not None:
            answer = replace(answer, text=cut(answer.text, turn.settings.get("stop")))

        async def pieces() -> AsyncGenerator[str | Answer]:
            if answer.text:
                yield answer.text
            yield answer

        self._count(answer, started)
        self._metrics.saved_tokens.labels(answer.path).inc(_saved(turn, offered, answer))
        return Begun(answer.path, answer.model, outcome, drift, pieces())

    def _count(self, answer: Answer, started: float) -> None:
        kind = "call" if answer.calls else "refusal" if answer.refusal is not None else "text"
        self._metrics.answers.labels(answer.path, kind).inc()
        self._metrics.seconds.labels(answer.path).observe(time.perf_counter() - started)


def cut(text: str, stop: str | Sequence[str] | None) -> str:
    """A text up to the first of the sequences at which it is to stop."""
    stops = [stop] if isinstance(stop, str) else stop or ()
    ends = [text.find(end) for end in stops if end]
    return text[: min((end for end in ends if end >= 0), default=len(text))]


def _require_choice(choice: Choice, offered: Container[str]) -> None:
    if choice.name is not None and choice.name not in offered:
        raise BadRequest(f"tool_choice names {choice.name!r}, which is not among the tools")
    if choice.mode == "required" and not offered:
        raise BadRequest("tool_choice requires a call and there are no tools")


def _request(turn: Turn) -> RouteRequest:
    return RouteRequest(
        turn.messages, turn.face, turn.model, tools=turn.tools, conversation=turn.conversation
    )


def _routed(reply: Reply, calls: tuple[Call, ...], reason: str | None, choice: Choice) -> Answer:
    usage = reply.route.usage
    if calls:
        ids = tuple(f"call_{reply.id[6:30]}_{index}" for index in range(len(calls)))
        return Answer("router", reply.model, calls, ids, finish="tool_calls", usage=usage)
    words = reason or "no tool fits"
    if choice.mode == "required":
        return Answer("reason", reply.model, refusal=words, usage=usage)
    return Answer("reason", reply.model, text=words, usage=usage)


def _unrouted(turn: Turn) -> tuple[AnswerPath, str]:
    """Without a fallback nobody words an answer: the tools' results are the answer."""
    if turn.messages[-1].role != "tool":
        return "reason", "tool_choice is none and this model only calls"
    results: list[str] = []
    for message in reversed(turn.messages):
        if message.role != "tool":
            break
        results.append(message.content)
    return "result", "\n".join(reversed(results))


def _saved(turn: Turn, offered: Offered, answer: Answer) -> int:
    """About how many tokens an LLM would have read and written for this answer."""
    spoken, tools = len(json.dumps(list(turn.spoken))), offered.chars
    read = spoken + tools + (len(", ") if turn.spoken and offered.by_name else 0)
    called = json.dumps([call.as_dict() for call in answer.calls])
    return (read + len(called) + len(answer.text or answer.refusal or "")) // _CHARS_PER_TOKEN
