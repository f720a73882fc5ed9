"""One row on the live toolset: it holds, is relabelled, or is set aside with the reason.

- A call of a tool that is gone, of an argument that may have another name, or that the live schema
  refuses or the conversation does not ground, is set aside: what is wanted now, a person says.
- A call of a renamed tool or argument gets the new name, a respelt value of an enum its spelling
  now; an argument that is gone is left out.
- A row that wants no tool holds, unless an added tool may be what it asks for (it is out of scope,
  and says every word of the tool's name), it names a tool that is gone, or an argument that it
  lacks is required no more.

A row is the JSON object of its line, of which all that is not touched stays. Pure functions.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from gateway.checks import ToolsetChecks
from gateway.drift import Drift
from gateway.heal.moves import Moves, moves_of
from gateway.impact.rows import messages_of
from gateway.types import Call, Message, Toolset

Verdict = Literal["holds", "relabelled", "aside"]
_SHORTEST_WORD = 4
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Healed:
    """`row` is the row for the live toolset, or the old one if it is set aside; `why` says why, and
    `tools` are the trained names that it wants (or, of a row without calls, may want)."""

    verdict: Verdict
    row: Mapping[str, Any]
    tools: tuple[str, ...]
    why: str | None = None


class Relabeller:
    """Heals rows of one trained toolset for the live one."""

    def __init__(self, trained: Toolset, live: Toolset, drift: Drift) -> None:
        """Compiles the live schemas. Raises SchemaError for one that cannot be used."""
        self._moves = moves_of(trained, live, drift)
        self._checks = ToolsetChecks(live)
        self._fingerprint = live.fingerprint
        self._added = {
            item.tool: _words(item.tool.replace("_", " "))
            for item in drift.tools if item.grade == "added"
        }  # fmt: skip
        self._freed: dict[str, set[str]] = {}
        for tool in trained.tools:
            now = live.by_name.get(self._moves[tool.name].name or "")
            if now is not None:
                freed = _required(tool.input_schema) - _required(now.input_schema)
                self._freed[tool.name] = freed

    def heal(self, row: Mapping[str, Any]) -> Healed:
        """What becomes of one row.

        Raises:
            KeyError, TypeError, AttributeError: it is no row.
        """
        target = cast(Mapping[str, Any], row["target"])
        if target.get("tool") == "no_tool":
            return self._without_calls(row, str(target.get("reason", "")))
        listed = cast(Sequence[Mapping[str, Any]], target.get("calls") or [target])
        calls = [Call(call["tool"], call["arguments"]) for call in listed]
        tools = tuple(dict.fromkeys(call.tool for call in calls))
        moved: list[Call] = []
        for call in calls:
            why = self._obstacle(call)
            if why is not None:
                return Healed("aside", row, tools, why)
            moved.append(_moved(call, self._moves[call.tool]))
        why = self._refused(moved, messages_of(row))
        if why is not None:
            return Healed("aside", row, tools, why)
        wire = [call.as_dict() for call in moved]
        healed = {**row, "target": {"calls": wire} if "calls" in target else wire[0]}
        if row.get("accept"):
            names = {old: new for t in tools for old, new in self._moves[t].renamed.items()}
            healed["accept"] = [names.get(name, name) for name in row["accept"]]
        verdict: Verdict = "holds" if moved == calls else "relabelled"
        return Healed(verdict, self._stamped(healed), tools)

    def _obstacle(self, call: Call) -> str | None:
        moves = self._moves.get(call.tool)
        if moves is None:
            return f"{call.tool} is no tool of the trained toolset"
        if moves.name is None:
            return f"{call.tool} is gone"
        unproven = sorted(moves.unproven & set(call.arguments))
        return f"{call.tool}: what {unproven[0]} is called now is not certain" if unproven else None

    def _refused(self, calls: Sequence[Call], messages: Sequence[Message]) -> str | None:
        for call in calls:
            found = self._checks.check(call, messages)
            if found.schema:
                return f"{call.tool}: {found.schema[0]}"
            if found.grounding:
                lack = found.grounding[0]
                return f"{call.tool}: {lack.pointer} {lack.value!r} is not in the conversation"
        return None

    def _without_calls(self, row: Mapping[str, Any], reason: str) -> Healed:
        said = _words(" ".join([reason, *(m.content for m in messages_of(row))]))
        for tool, words in self._added.items():
            if row.get("kind", "out_of_scope") == "out_of_scope" and words and words <= said:
                return Healed("aside", row, (tool,), f"{tool}, which is new, may be what it wants")
        for tool, freed in self._freed.items():
            if tool in reason and any(name in reason for name in freed):
                return Healed(
                    "aside", row, (tool,), f"{tool} requires {', '.join(sorted(freed))} no more"
                )
        named = set(re.findall(r"\w+", reason))
        for tool, moves in self._moves.items():
            if moves.name is None and tool in named:
                return Healed("aside", row, (tool,), f"{tool} is gone, and its reason names it")
        renamed = {
            old: moves.name for old, moves in self._moves.items() if moves.name not in (None, old)
        }
        now = re.sub(r"\w+", lambda match: renamed.get(match[0]) or match[0], reason)
        if now == reason:
            return Healed("holds", self._stamped(row), ())
        tools = tuple(old for old in renamed if old in reason)
        return Healed(
            "relabelled", self._stamped({**row, "target": {**row["target"], "reason": now}}), tools
        )

    def _stamped(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**row, "toolset": self._fingerprint[: len(row["toolset"])]}


def _moved(call: Call, moves: Moves) -> Call:
    arguments = {
        moves.renamed.get(name, name): _respelt(value, moves.respelt.get(name, {}))
        for name, value in call.arguments.items()
        if name not in moves.dropped
    }
    return Call(moves.name or call.tool, arguments)


def _respelt(value: Any, spellings: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_respelt(item, spellings) for item in cast(list[Any], value)]
    return spellings.get(value, value) if isinstance(value, str) else value


def _required(schema: Mapping[str, Any]) -> set[str]:
    return set(cast(Sequence[str], schema.get("required") or ()))


def _words(text: str) -> set[str]:
    """The words of a text that tell something, cut to what all their forms share."""
    words = (word.casefold() for word in _WORD.findall(text))
    return {word[:_SHORTEST_WORD] for word in words if len(word) >= _SHORTEST_WORD}
