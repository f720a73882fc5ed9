"""The format `native`: the base model's own tool calls, through its chat template with `tools=`.

Known are base models that write a call as Hermes and Qwen do, several calls on lines below:

    <tool_call>
    {"name": "track_order", "arguments": {"order_id": "ORD-1234"}}
    </tool_call>

An answer without a call is no_tool; the trained one is `no tool: REASON`. Thinking is off.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gateway.formats.base import AnswerWriter, Asked, FormatRefused, Language
from gateway.formats.template import AnswerTemplate, answer_template, assistant_turn
from gateway.grammar import DECODER, MAX_CALLS, REASON_CHARS, SPACING, call_schema, read_call
from gateway.grammar import parse_answer as parse_json
from gateway.prompt import (
    PromptForm,
    last_turns,
    openai_tools,
    ordered_calls,
)
from gateway.tokens import Tokenizer
from gateway.types import Call, Message, Route, Toolset

NATIVE_VERSION = 1

_OPENING, _CLOSING = "<tool_call>", "</tool_call>"
_NO_TOOL = "no tool:"
_PROBES = (Call("one", {"text": 'ü <&> "'}), Call("two", {}))


class NativeFormat:
    """The chat template shows every schema and writes the calls."""

    version = NATIVE_VERSION
    forms: Sequence[PromptForm] = ("schemas",)

    def ask(self, messages: Sequence[Message], toolset: Toolset, form: PromptForm) -> Asked:
        """Our task, the conversation's last turns, and every tool for the template to show."""
        if form not in self.forms:
            raise ValueError(f"the native format shows a toolset as {self.forms[0]}, not {form!r}")
        task = (
            f"Route the request to the tools of {toolset.name}. "
            f"If none fits, answer with `{_NO_TOOL}` and the reason."
        )
        turns = (_turn(message) for message in last_turns(messages))
        return Asked(({"role": "system", "content": task}, *turns), openai_tools(toolset))

    def language(self, toolset: Toolset) -> Language:
        """Lark of `no tool: REASON` and of 1 to MAX_CALLS calls that the schemas allow."""
        schema = {**call_schema(toolset, "name"), "x-guidance": SPACING}
        rules = [
            rf'start: no_tool | call ("\n" call){{0,{MAX_CALLS - 1}}}',
            rf"no_tool: /{_NO_TOOL} [^\n]{{0,{REASON_CHARS}}}/",
            r'call: opening "\n" body "\n" closing',
            f'opening: "{_OPENING}"',
            f'closing: "{_CLOSING}"',
            f"body: %json {json.dumps(schema)}",
        ]
        return Language(grammar="\n".join(rules) + "\n")

    def parse(self, text: str) -> Route:
        """Read calls, or plain text as no_tool."""
        text = text.strip()
        if not text:
            return Route(error="the answer is empty")
        if _OPENING not in text and _CLOSING not in text:
            return Route(reason=text.removeprefix(_NO_TOOL).strip() or "no tool fits")
        try:
            calls = tuple(_calls(text))
        except (ValueError, RecursionError) as exc:
            return Route(error=f"the answer is not made of {_OPENING} blocks: {exc}")
        if len(calls) > MAX_CALLS:
            return Route(error=f"an answer makes 1 to {MAX_CALLS} calls, this one {len(calls)}")
        return Route(calls=calls)

    def writer(self, tokenizer: Tokenizer) -> AnswerWriter:
        """Answers as the base model's template writes them, each checked to read back."""
        template = answer_template(tokenizer)
        _require_known(template)

        def write(target: Mapping[str, Any], toolset: Toolset) -> str:
            calls = tuple(
                Call(call["tool"], call["arguments"]) for call in ordered_calls(target, toolset)
            )
            reason = " ".join(str(target.get("reason", "")).split()) or "no tool fits"
            wanted = Route(calls=calls) if calls else Route(reason=reason)
            turn = assistant_turn("" if calls else f"{_NO_TOOL} {reason}", calls)
            text = template.answer(turn)
            if self.parse(text) != wanted:
                raise ValueError(f"target {target!r} cannot be written natively: {text!r}")
            return text

        return write


def _turn(message: Message) -> dict[str, Any]:
    if message.role == "tool":
        return {"role": "tool", "content": message.content}
    made = parse_json(message.content).calls if message.role == "assistant" else ()
    return (
        assistant_turn(calls=made) if made else {"role": message.role, "content": message.content}
    )


def _calls(text: str) -> Iterator[Call]:
    """Reads object by object, because an argument may well hold the closing tag. ValueError."""
    while text:
        if not text.startswith(_OPENING):
            raise ValueError("text stands beside the calls")
        text = text.removeprefix(_OPENING).lstrip()
        value, end = DECODER.raw_decode(text)
        call = read_call(value, "name")
        if call is None:
            raise ValueError("a call is not of the form {name, arguments}")
        text = text[end:].lstrip()
        if not text.startswith(_CLOSING):
            raise ValueError("a call is not closed")
        text = text.removeprefix(_CLOSING).lstrip()
        yield call


def _require_known(template: AnswerTemplate) -> None:
    """Raises FormatRefused for a base model whose calls we cannot constrain or read."""
    for probes in (_PROBES[:1], _PROBES):
        wanted = "\n".join(_written(call) for call in probes)
        text = template.answer(assistant_turn(calls=probes))
        if text != wanted:
            raise FormatRefused(
                f"the base model's chat template writes calls as {text!r}; the native format "
                f"knows only {wanted!r}; train it in the format json"
            )
    markers = f"{_OPENING}{_CLOSING}"
    ids = template.tokenizer.encode(markers, add_special_tokens=False)
    if template.tokenizer.decode(ids, skip_special_tokens=True) != markers:
        raise FormatRefused(
            f"the base model's tokenizer does not show {_OPENING} in what it decodes; train it in "
            "the format json"
        )


def _written(call: Call) -> str:
    body = json.dumps({"name": call.tool, "arguments": call.arguments}, ensure_ascii=False)
    return f"{_OPENING}\n{body}\n{_CLOSING}"
