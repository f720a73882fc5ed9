"""The fallback: an LLM that takes over a turn which the router leaves.

Its calls pass the checks of the router's: schema, grounding, and what the agent lets be called. A
call that fails goes back to it once with the errors; what fails again is withheld. So is a call
that was made too often already since the user last spoke, which is a loop. Text streams through as
it comes, calls only when they are whole and checked. Below stands the LLM; above, the assistant.
"""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from mcp.types import Tool

from gateway.choice import Choice, allowed
from gateway.decide import CallCheck, Decision, checks_as_dict, decide
from gateway.fallback.llm import Llm
from gateway.fallback.written import Written, arguments_of
from gateway.fingerprint import canonical
from gateway.grounding.ground import ungrounded
from gateway.prompt import openai_tools
from gateway.types import Call, Message, Route, Toolset, Usage
from gateway.validate import ArgumentError, SchemaError, ToolValidator


@dataclass(frozen=True, slots=True)
class Asked:
    """A turn to take over: the conversation as OpenAI writes it (`spoken`) and as it grounds
    (`messages`), the tools on offer by name, and settings that are passed on as they are."""

    spoken: Sequence[Mapping[str, Any]]
    messages: tuple[Message, ...]
    tools: Mapping[str, Tool]
    choice: Choice = field(default_factory=Choice)
    settings: Mapping[str, Any] | None = None
    stream: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """How the fallback answered: text, calls with their ids, or why its calls were withheld."""

    model: str
    decision: Decision
    ids: tuple[str, ...]
    text: str | None
    refusal: str | None
    finish: str
    usage: Usage


class Fallback:
    """Takes turns over."""

    def __init__(self, llm: Llm, *, repeats: int) -> None:
        self._llm = llm
        self._repeats = repeats

    @property
    def model(self) -> str:
        """The name that the LLM is asked under."""
        return self._llm.model

    async def close(self) -> None:
        """Close the LLM's connections; idempotent."""
        await self._llm.close()

    async def take_over(self, asked: Asked) -> AsyncGenerator[str | Taken]:
        """Yields pieces of text as they come if they are asked for so (`stream`), and how it was
        answered last.

        Raises:
            FallbackDown, FallbackTimeout: as the LLM.
        """
        back: Sequence[Mapping[str, Any]] = ()
        told: list[str] = []
        usage = Usage()
        while True:
            written: Written | None = None
            async with aclosing(self._llm.write(_body(asked, back))) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Written):
                        written = piece
                    elif asked.stream:
                        told.append(piece)
                        yield piece
            assert written is not None  # the LLM's last piece, or it raised
            usage += written.usage
            decision, errors = judged(written, asked, self._repeats)
            if decision.outcome not in ("invalid", "abstained") or back:
                # What was told cannot be taken back, be it of an answer that was withheld.
                yield _taken(written, decision, "".join(told) or written.text, usage)
                return
            back = _sent_back(written, errors)


def judged(written: Written, asked: Asked, repeats: int) -> tuple[Decision, Mapping[str, Any]]:
    """What becomes of an answer, and the errors that its writer is told. An answer without calls
    is `no_tool`, or an abstention if a call was required; calls of one that was cut off are not
    read, for they may look whole and lack what was still to come."""
    if written.calls and written.finish in ("length", "content_filter"):
        reason = f"the answer was cut off ({written.finish}), its calls may not be whole"
        return _withheld(Decision("invalid", reason=reason, reason_code="parse"), ())
    try:
        calls = tuple(Call(call.tool, arguments_of(call.arguments)) for call in written.calls)
    except ValueError as exc:
        return _withheld(Decision("invalid", reason=str(exc), reason_code="parse"), ())
    if not calls:
        if asked.choice.mode != "required":
            return Decision("no_tool", reason=written.text), {}
        reason = written.refusal or "a call is required and none was made"
        return _withheld(Decision("abstained", reason=reason, reason_code="policy"), ())
    checks = [_check(call, asked) for call in calls]
    decision = decide(Route(calls=calls), checks, threshold=0.0)
    if decision.outcome == "call":
        decision = allowed(decision, asked.choice, asked.tools)
    looped = _looped(calls, asked.spoken, repeats)
    if decision.outcome == "call" and looped is not None:
        reason = f"{looped} was made {repeats} times already with the same arguments"
        decision = Decision("abstained", (), calls, reason, "policy")
    return _withheld(decision, checks)


def _check(call: Call, asked: Asked) -> CallCheck:
    tool = asked.tools.get(call.tool)
    if tool is None:
        return CallCheck(call, None, allowed=False)
    return CallCheck(call, _errors(call, tool), ungrounded(call, tool, asked.messages))


def _errors(call: Call, tool: Tool) -> Sequence[ArgumentError]:
    try:
        return ToolValidator(tool).errors(call.arguments)
    except SchemaError as exc:
        return [ArgumentError("", str(exc))]


def _withheld(
    decision: Decision, checks: Sequence[CallCheck]
) -> tuple[Decision, Mapping[str, Any]]:
    found = checks_as_dict(checks)
    errors = {"error": decision.reason, "schema": found["schema"], "grounding": found["grounding"]}
    return decision, {key: value for key, value in errors.items() if value}


def _looped(calls: Sequence[Call], spoken: Sequence[Mapping[str, Any]], repeats: int) -> str | None:
    """The tool of a call that was made `repeats` times since the user last spoke."""
    made: list[tuple[str, bytes]] = []
    for message in reversed(spoken):
        if message.get("role") == "user":
            break
        for call in message.get("tool_calls") or ():
            function = call["function"]
            made.append((function["name"], canonical(arguments_of(function.get("arguments", "")))))
    for call in calls:
        if made.count((call.tool, canonical(call.arguments))) >= repeats:
            return call.tool
    return None


def _body(asked: Asked, back: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    body: dict[str, Any] = {**(asked.settings or {}), "messages": [*asked.spoken, *back]}
    if asked.stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    if asked.tools:
        body["tools"] = openai_tools(Toolset("offered", tuple(asked.tools.values())))
        choice: Any = asked.choice.mode
        if asked.choice.name is not None:
            choice = {"type": "function", "function": {"name": asked.choice.name}}
        body["tool_choice"] = choice
        if not asked.choice.several:
            body["parallel_tool_calls"] = False
    return body


def _sent_back(written: Written, errors: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The answer as a turn of the assistant, and an answer to each of its calls."""
    told = json.dumps({**errors, "called": False}, ensure_ascii=False)
    if not written.calls:
        return (
            {"role": "assistant", "content": written.text or written.refusal or ""},
            {"role": "user", "content": told},
        )
    calls = [
        {
            "id": c.id,
            "type": "function",
            "function": {"name": c.tool, "arguments": _read(c.arguments)},
        }
        for c in written.calls
    ]
    return (
        {"role": "assistant", "content": written.text, "tool_calls": calls},
        *({"role": "tool", "tool_call_id": c.id, "content": told} for c in written.calls),
    )


def _read(arguments: str) -> str:
    """Arguments as a history may hold them: some servers refuse one that is no JSON object."""
    try:
        return json.dumps(arguments_of(arguments))
    except ValueError:
        return "{}"


def _taken(written: Written, decision: Decision, text: str | None, usage: Usage) -> Taken:
    called = decision.outcome == "call"
    refusal = written.refusal
    if decision.outcome in ("invalid", "abstained"):
        refusal = f"the fallback's call was withheld: {decision.reason}"
    finish = "tool_calls" if called else written.finish
    if not called and finish == "tool_calls":
        finish = "stop"
    return Taken(
        model=written.model,
        decision=decision,
        ids=tuple(call.id for call in written.calls) if called else (),
        text=text,
        refusal=refusal,
        finish=finish,
        usage=usage,
    )
