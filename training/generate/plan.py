"""The plan: which rows to ask a teacher for, as many small tasks in a fixed order.

Every voice gets the same tasks. A tool gets one task for calls at large and, for each optional
argument, one in which requests state it and one in which they do not. No tool fits in the tasks of
the other kinds: `chat` and `out_of_scope`, `injection`, `underspecified` for each required
argument, and `malformed` for each tool that takes a value of a fixed form. A plan knows no
endpoint and no prompt; the same toolset, voices, numbers and seed give the same plan.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast
from urllib.parse import quote

from mcp.types import Tool

from gateway.fingerprint import digest
from gateway.types import Toolset
from training.check.arguments import optional
from training.generate.voices import Voice
from training.rows import Kind

NO_TOOL_SHARE = 0.15
"""Share of all rows that want no tool; `training.check` finds 0.10 to 0.20 to do well."""
MAX_ROWS = 100
"""As many rows as a task may ask for; teachers tire, and answers have an end."""
ANGLES = (
    "Vary the length: the shortest says no more than it must.",
    "Begin each with other words, and few of them with a verb.",
    "Let what matters stand at the beginning of some and at the very end of others.",
    "Put in details that sound important and change nothing.",
    "Write numbers, names and codes in different spellings, as people do.",
    "Ask, order, complain, hint: no two in the same form.",
)


@dataclass(frozen=True)
class Task:
    """`rows` rows of one sort. `tool` and `argument` are what it is about, where it is about one.

    `stated` says of an optional argument whether requests state it, and is None otherwise.
    `angle` is what to pay attention to. `id` is the same in every plan that has such a task.
    """

    id: str
    kind: Kind
    voice: Voice
    rows: int
    angle: str
    tool: str | None = None
    argument: str | None = None
    stated: bool | None = None


@dataclass(frozen=True)
class Plan:
    """Tasks in the order in which they are asked for, and the seed of that order."""

    tasks: tuple[Task, ...]
    seed: int

    @property
    def digest(self) -> str:
        """sha256 over the tasks in their order: the same plan, the same digest."""
        return digest([asdict(task) for task in self.tasks])


def make_plan(
    toolset: Toolset,
    voices: Sequence[Voice],
    *,
    rows: int,
    seed: int,
    no_tool_share: float = NO_TOOL_SHARE,
    about: Sequence[str] | None = None,
) -> Plan:
    """All tasks of a toolset: `rows` rows for each that wants a call.

    `about` names the tools that rows are wanted for; None means all of them.

    The others get as many as bring them to `no_tool_share` of the whole, at least one each. The
    order is random, so that the beginning of a plan is a sample of it.

    Raises:
        ValueError: there is no voice, `rows` is not 1 to 100, the share is not 0 to below 1, or the
            toolset lacks a tool of `about`.
    """
    if about is not None:
        toolset = _only(toolset, about)
    if not voices:
        raise ValueError("a plan needs a voice")
    if not 1 <= rows <= MAX_ROWS:
        raise ValueError(f"a task asks for 1 to {MAX_ROWS} rows, not {rows}")
    if not 0 <= no_tool_share < 1:
        raise ValueError(f"the share of rows without a tool is 0 to below 1, not {no_tool_share}")
    calls, others = list(_calls(toolset)), list(_others(toolset)) if no_tool_share else []
    ratio = no_tool_share / (1 - no_tool_share)
    few = min(MAX_ROWS, max(1, round(ratio * rows * len(calls) / len(others)))) if others else 0
    rng = random.Random(seed)
    tasks = [
        _task(sort, voice, rows if sort["kind"] == "call" else few, rng)
        for voice in voices
        for sort in (*calls, *others)
    ]
    rng.shuffle(tasks)
    return Plan(tuple(tasks), seed)


def _only(toolset: Toolset, about: Sequence[str]) -> Toolset:
    unknown = [name for name in about if name not in toolset.by_name]
    if unknown or not about:
        raise ValueError(
            f"toolset {toolset.name} has no tool {', '.join(unknown) or 'without a name'}; "
            f"it has {', '.join(toolset.by_name)}"
        )
    return Toolset(toolset.name, tuple(tool for tool in toolset.tools if tool.name in about))


def _task(sort: Mapping[str, Any], voice: Voice, rows: int, rng: random.Random) -> Task:
    said = {None: (), True: ("stated",), False: ("unstated",)}[sort.get("stated")]
    about = [sort[key] for key in ("kind", "tool", "argument") if key in sort]
    name = "/".join(quote(part, safe="") for part in (*about, *said, voice.name))
    return Task(id=name, voice=voice, rows=rows, angle=rng.choice(ANGLES), **sort)


def _calls(toolset: Toolset) -> Iterator[dict[str, Any]]:
    for tool in toolset.tools:
        yield {"kind": "call", "tool": tool.name}
        for name in optional(tool):
            for stated in (True, False):
                yield {"kind": "call", "tool": tool.name, "argument": name, "stated": stated}


def _others(toolset: Toolset) -> Iterator[dict[str, Any]]:
    for kind in ("chat", "out_of_scope", "injection"):
        yield {"kind": kind}
    for tool in toolset.tools:
        required = cast(list[str], tool.input_schema.get("required") or [])
        for name in required:
            yield {"kind": "underspecified", "tool": tool.name, "argument": name}
        if _fixed_form(tool):
            yield {"kind": "malformed", "tool": tool.name}


def _fixed_form(tool: Tool) -> bool:
    """Whether an argument has a pattern or a format that a value can miss."""
    # Where nothing is required, every argument is an optional one.
    free = tool.model_copy(update={"input_schema": {**tool.input_schema, "required": []}})
    return any({"pattern", "format"} & set(schema) for schema in optional(free).values())
