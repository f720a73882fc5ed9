"""The rows that an adapter carries to be measured with: `eval.jsonl` of its folder."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from gateway.errors import AdapterRefused
from gateway.files import numbered_lines
from gateway.grammar import parse_answer
from gateway.manifest import Adapter
from gateway.types import Call, Message

FILE = "eval.jsonl"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class EvalRow:
    """A conversation, the calls that it wants (none for no_tool), and which of their arguments are
    free text."""

    messages: tuple[Message, ...]
    calls: tuple[Call, ...]
    accept: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What the user said last."""
        return self.messages[-1].content


def read_eval_rows(adapter: Adapter) -> Sequence[EvalRow]:
    """Every row of an adapter's folder, in order.

    Raises:
        AdapterRefused: there are none, or a line is broken; names it.
    """
    file = adapter.folder / FILE
    rows: list[EvalRow] = []
    try:
        for number, line in numbered_lines(file):
            try:
                rows.append(_row(json.loads(line)))
            except (ValueError, KeyError, TypeError, AttributeError) as exc:
                raise AdapterRefused(f"{file}:{number}: no row: {exc}") from exc
    except OSError as exc:
        raise AdapterRefused(f"{file}: {exc.strerror}") from exc
    if not rows:
        raise AdapterRefused(f"{file}: no rows to measure with")
    return rows


def spread(items: Sequence[T], limit: int | None) -> list[T]:
    """At most `limit` items in their order, evenly spread: neighbours are often alike."""
    count = len(items) if limit is None else min(limit, len(items))
    return [items[number * len(items) // count] for number in range(count)]


def messages_of(row: Mapping[str, Any]) -> tuple[Message, ...]:
    """The conversation of a row's JSON object. Raises KeyError or TypeError if it has none."""
    turns: Any = row.get("messages") or [{"role": "user", "content": row["request"]}]
    return tuple(Message(turn["role"], turn["content"]) for turn in turns)


def _row(value: Mapping[str, Any]) -> EvalRow:
    wanted = parse_answer(json.dumps(value["target"]))
    if wanted.error is not None:
        raise ValueError(f"target is no answer: {wanted.error}")
    return EvalRow(
        messages_of(value),
        wanted.calls,
        tuple(value.get("accept", ())),
    )
