"""What became of each trained tool: its name, and its arguments as far as that can be proven.

An argument counts as renamed where exactly one that is gone and one that is new have the same
schema, and either the same description or a schema that says what a value looks like (a pattern, a
format or an enum). Two plain texts are alike in nothing but their type: such a pair is told as
unproven, and rows that use the old one are set aside. Pure functions over values.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from mcp.types import Tool

from gateway.drift import Drift, worst
from gateway.drift.schema import schema_changes
from gateway.drift.words import squeezed
from gateway.types import Toolset

_SAME = ("none", "notation", "description")
_TELLING = ("pattern", "format", "enum", "const")


@dataclass(frozen=True, slots=True)
class Moves:
    """One trained tool today. `name` is None if the tool is gone.

    `renamed`: argument -> its name now; `dropped`: arguments that are gone; `unproven`: those that
    are gone where a new one may be the same.
    """

    name: str | None
    renamed: Mapping[str, str]
    dropped: frozenset[str]
    unproven: frozenset[str]

    @property
    def are_none(self) -> bool:
        """Whether calls of the tool stay as they are."""
        return not (self.renamed or self.dropped or self.unproven)


def moves_of(trained: Toolset, live: Toolset, drift: Drift) -> Mapping[str, Moves]:
    """Every trained tool and what became of it."""
    names = {tool.name: tool.name for tool in trained.tools if tool.name in live.by_name}
    names |= {item.tool: item.renamed_to for item in drift.tools if item.renamed_to}
    found: dict[str, Moves] = {}
    for tool in trained.tools:
        name = names.get(tool.name)
        if name is None:
            found[tool.name] = Moves(None, {}, frozenset(), frozenset())
        else:
            found[tool.name] = _arguments(name, tool, live.by_name[name])
    return found


def _arguments(name: str, tool: Tool, now: Tool) -> Moves:
    before, after = properties(tool), properties(now)
    gone = [key for key in before if key not in after]
    new = [key for key in after if key not in before]
    pairs = [(old, key) for old in gone for key in new if _same_schema(before[old], after[key])]
    single = [
        pair for pair in pairs
        if sum(pair[0] == old for old, _ in pairs) == sum(pair[1] == key for _, key in pairs) == 1
    ]  # fmt: skip
    renamed = {old: key for old, key in single if _proven(before[old], after[key])}
    unproven = frozenset(old for old, _ in pairs if old not in renamed)
    return Moves(name, renamed, frozenset(gone) - set(renamed) - unproven, unproven)


def properties(tool: Tool) -> Mapping[str, Any]:
    """The arguments of a tool: name -> schema."""
    return cast(Mapping[str, Any], tool.input_schema.get("properties") or {})


def _same_schema(before: Any, after: Any) -> bool:
    return worst(change.grade for change in schema_changes(before, after, "")) in _SAME


def _proven(before: Any, after: Any) -> bool:
    if not isinstance(before, dict) or not isinstance(after, dict):
        return False
    old, new = cast(dict[str, Any], before), cast(dict[str, Any], after)
    if any(key in old for key in _TELLING):
        return True
    was, now = old.get("description"), new.get("description")
    return was is not None and squeezed(was) == squeezed(now)
