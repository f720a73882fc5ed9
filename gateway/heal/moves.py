"""What became of each trained tool: its name, and its arguments as far as that can be proven.

An argument counts as renamed where exactly one that is gone and one that is new have the same
schema, and the same description or names that differ in spelling alone (order_id, orderId). It
counts as dropped where no new argument has its type. What is neither (a new one may be the same, or
something within it is gone) is unproven, and rows that use it are set aside. A value of an enum
counts as respelt where one that is gone and one that is new differ in case and separators alone
(next_day, NEXT-DAY). Pure functions over values.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from mcp.types import Tool

from gateway.arguments import resolved
from gateway.drift import Change, Drift, worst
from gateway.drift.schema import schema_changes
from gateway.drift.words import squeezed
from gateway.types import Toolset

_SAME = ("none", "notation", "description")
_SEPARATOR = re.compile(r"(?<=[^\W_])(?:(?<!\d)[ _-]+|[ _-]+(?!\d))(?=[^\W_])")
_WITHIN = re.compile(r"/inputSchema/properties/([^/]+)/.*properties/")


@dataclass(frozen=True, slots=True)
class Moves:
    """One trained tool today. `name` is None if the tool is gone.

    `renamed`: argument -> its name now; `dropped`: arguments that are gone; `unproven`: those of
    which it is not certain what became of them; `respelt`: argument (by its trained name) -> enum
    value -> its spelling now.
    """

    name: str | None
    renamed: Mapping[str, str]
    dropped: frozenset[str]
    unproven: frozenset[str]
    respelt: Mapping[str, Mapping[str, str]]


def moves_of(trained: Toolset, live: Toolset, drift: Drift) -> Mapping[str, Moves]:
    """Every trained tool and what became of it."""
    names = {tool.name: tool.name for tool in trained.tools if tool.name in live.by_name}
    names |= {item.tool: item.renamed_to for item in drift.tools if item.renamed_to}
    changes = {item.tool: item.changes for item in drift.tools}
    found: dict[str, Moves] = {}
    for tool in trained.tools:
        name = names.get(tool.name)
        if name is None:
            found[tool.name] = Moves(None, {}, frozenset(), frozenset(), {})
        else:
            found[tool.name] = _arguments(
                name, tool, live.by_name[name], changes.get(tool.name, ())
            )
    return found


def _arguments(name: str, tool: Tool, now: Tool, changes: tuple[Change, ...]) -> Moves:
    before, after = properties(tool), properties(now)
    gone = [key for key in before if key not in after]
    new = [key for key in after if key not in before]
    pairs = [(old, key) for old in gone for key in new if _same_type(before[old], after[key])]
    single = [
        pair for pair in pairs
        if sum(pair[0] == old for old, _ in pairs) == sum(pair[1] == key for _, key in pairs) == 1
    ]  # fmt: skip
    renamed = {
        old: key for old, key in single
        if _same_schema(before[old], after[key])
        and (_letters(old) == _letters(key) or _same_words(before[old], after[key]))
    }  # fmt: skip
    cut = (_WITHIN.match(change.pointer) for change in changes if change.after is None)
    unproven = frozenset(old for old, _ in pairs if old not in renamed)
    unproven |= {match[1].replace("~1", "/").replace("~0", "~") for match in cut if match}
    respelt = {
        key: _respelt(_choices(before[key], tool), _choices(after[key], now))
        for key in before if key in after
    }  # fmt: skip
    dropped = frozenset(gone) - set(renamed) - unproven
    return Moves(name, renamed, dropped, unproven, {k: v for k, v in respelt.items() if v})


def properties(tool: Tool) -> Mapping[str, Any]:
    """The arguments of a tool: name -> schema."""
    return cast(Mapping[str, Any], tool.input_schema.get("properties") or {})


def _choices(schema: Any, tool: Tool) -> frozenset[str]:
    """The words that an argument, or each element of it, may be; none if it is free."""
    for _ in range(2):
        if not isinstance(schema, dict):
            break
        node = resolved(cast(dict[str, Any], schema), tool.input_schema)
        words: Any = node.get("enum")
        if isinstance(words, list):
            return frozenset(word for word in cast(list[Any], words) if isinstance(word, str))
        schema = node.get("items")
    return frozenset()


def _respelt(before: frozenset[str], after: frozenset[str]) -> Mapping[str, str]:
    """Words that are gone -> the only new ones that they can be in another spelling."""
    old, new = Counter(map(_spelling, before)), {_spelling(word): word for word in after - before}
    counts = Counter(map(_spelling, after))
    return {
        word: new[form] for word in before - after
        if (form := _spelling(word)) in new and old[form] == counts[form] == 1
    }  # fmt: skip


def _spelling(word: str) -> str:
    """A word without case and separators; what stands between figures or at an end is none."""
    return _SEPARATOR.sub("", word).casefold()


def _same_schema(before: Any, after: Any) -> bool:
    return worst(change.grade for change in schema_changes(before, after, "")) in _SAME


def _same_type(before: Any, after: Any) -> bool:
    """Whether a value of the one may be one of the other, as far as their types say."""
    old, new = (_types(schema) for schema in (before, after))
    return not old or not new or bool(old & new)


def _types(schema: Any) -> set[str]:
    named: Any = cast(dict[str, Any], schema).get("type") if isinstance(schema, dict) else None
    found = {named} if isinstance(named, str) else set(cast(list[str], named or ()))
    return found | ({"integer", "number"} if found & {"integer", "number"} else set())


def _same_words(before: Any, after: Any) -> bool:
    was, now = (
        cast(dict[str, Any], schema).get("description") if isinstance(schema, dict) else None
        for schema in (before, after)
    )
    return was is not None and squeezed(was) == squeezed(now)


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()
