"""OpenAI's chat form: an object a line with `messages` and, if there were any, `tools`.

The form of the Chat Completions API and of its fine-tuning files: an assistant's `tool_calls` hold
their arguments as JSON text, a result is a turn of the role `tool`, and an assistant turn of
`weight` 0 is not to be learned from. Every assistant turn with tool calls becomes a row, and so
does the last one if it is text: its target is no_tool, with the text for a reason. The turns
before it are what the gateway's chat face makes of them (`gateway.faces.openai`), whose types
read the lines here too. `functions`, which `tools` replaced, are refused.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, Field, ValidationError

from gateway.errors import BadRequest
from gateway.faces.openai.messages import ChatMessage, OfferedTool
from gateway.fallback.written import arguments_of
from gateway.prompt import render_calls
from gateway.types import Call
from training.imports.gate import Imported, Refused
from training.imports.lines import Line, read_lines
from training.members import reason_of

REASON_CHARS = 120
_SHOWN_ERRORS = 3


class Turn(ChatMessage):
    """A message, with what fine-tuning files may say beside it."""

    weight: Literal[0, 1] = 1
    function_call: None = None


class Conversation(BaseModel):
    """One line; members that say nothing about the conversation are not looked at."""

    messages: Annotated[list[Turn], Field(min_length=1)]
    tools: list[OfferedTool] | None = None
    functions: None = None


def read(path: Path) -> Iterator[Imported | Refused]:
    """Row objects from a `.jsonl` file, or from every one of a folder.

    Raises:
        OSError: a file cannot be read.
    """
    for line in read_lines(path):
        yield from [line] if isinstance(line, Refused) else rows_of(line)


def rows_of(line: Line) -> Iterator[Imported | Refused]:
    """The row objects of one conversation; a turn that cannot be read ends it."""
    try:
        conversation = Conversation.model_validate(line.value)
    except ValidationError as exc:
        yield Refused(line.place, _told(exc), line.value)
        return
    offered = conversation.tools
    tools = {} if offered is None else {"tools": [_mcp(tool) for tool in offered]}
    made, shown = 0, cast(list[dict[str, str]], [])
    for number, turn in enumerate(conversation.messages, 1):
        place = f"{line.place} message {number}"
        try:
            target = _target(turn, last=_is_last(conversation.messages, number))
            if target is not None:
                yield Imported({"messages": list(shown), "target": target, **tools}, place)
                made += 1
            shown.append(_shown(turn))
        except (ValueError, RecursionError, BadRequest) as exc:
            yield Refused(place, reason_of(exc), line.value)
            return
    if not made:
        yield Refused(line.place, "no assistant turn to learn from", line.value)


def _is_last(turns: Sequence[Turn], number: int) -> bool:
    return all(turn.role != "assistant" for turn in turns[number:])


def _target(turn: Turn, *, last: bool) -> dict[str, Any] | None:
    """What a turn teaches; None if nothing."""
    if turn.role != "assistant" or not turn.weight:
        return None
    calls = [call.as_dict() for call in _calls(turn)]
    if calls:
        return calls[0] if len(calls) == 1 else {"calls": calls}
    if not last:
        return None
    if not turn.text.strip():
        raise ValueError("the last assistant turn neither calls nor says anything")
    return {"tool": "no_tool", "reason": turn.text.strip()[:REASON_CHARS].rstrip()}


def _shown(turn: Turn) -> dict[str, str]:
    """A turn as the chat face shows it to the router."""
    if turn.tool_calls:
        return {"role": "assistant", "content": render_calls(_calls(turn))}
    return {"role": "system" if turn.role == "developer" else turn.role, "content": turn.text}


def _calls(turn: Turn) -> list[Call]:
    made = turn.tool_calls or []
    return [Call(call.function.name, arguments_of(call.function.arguments)) for call in made]


def _mcp(tool: OfferedTool) -> Mapping[str, Any]:
    """A tool as MCP lists it."""
    return tool.function.tool.model_dump(by_alias=True, mode="json", exclude_none=True)


def _told(exc: ValidationError) -> str:
    errors = exc.errors(include_url=False)[:_SHOWN_ERRORS]
    return "; ".join(f"/{'/'.join(map(str, e['loc']))}: {e['msg']}" for e in errors)
