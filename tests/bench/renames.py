"""Renames and decoys made on real tool lists, and how well drift tells them apart.

A rename is one tool under a name in another style; every second one also has its description
reworded and one argument changed. A decoy is one tool gone and the tool of the same server that is
most like it (by `difflib` over names, descriptions and schemas) new. As many of one as of the
other, drawn with a fixed seed.
"""

import difflib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from random import Random
from typing import Any

from mcp.types import Tool

from gateway.drift import compare
from gateway.drift.likeness import words
from gateway.types import Toolset

PER_LIST = 60
"""Tools taken of one list, each once."""

STYLES: dict[str, Callable[[str, list[str]], str]] = {
    "camelCase": lambda server, w: w[0] + "".join(word.capitalize() for word in w[1:]),
    "PascalCase": lambda server, w: "".join(word.capitalize() for word in w),
    "snake_case": lambda server, w: "_".join(w),
    "kebab-case": lambda server, w: "-".join(w),
    "dotted prefix": lambda server, w: f"{server}." + "_".join(w),
    "prefix": lambda server, w: f"{server}_" + "_".join(w),
    "object first": lambda server, w: "_".join([*w[1:], w[0]]),
}
_OTHER_WORDS = {
    "get": "retrieve", "gets": "retrieves", "return": "give back", "returns": "gives back",
    "create": "make", "creates": "makes", "add": "insert", "adds": "inserts", "list": "show",
    "lists": "shows", "show": "display", "shows": "displays", "delete": "remove",
    "deletes": "removes", "remove": "delete", "removes": "deletes", "update": "modify",
    "set": "define", "check": "test", "checks": "tests", "compute": "work out",
    "calculate": "determine", "convert": "turn", "file": "document", "path": "location",
    "number": "value", "specific": "given", "specified": "given", "current": "present",
    "all": "every", "using": "with", "new": "fresh", "contents": "content", "apply": "use",
    "read": "load", "write": "store", "order": "purchase", "find": "look up", "search": "look",
    "error": "failure", "optional": "not required", "default": "standard", "text": "wording",
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One change of a toolset: the tool that is gone, and its new name or None."""

    trained: Toolset
    live: Mapping[str, Tool]
    gone: str
    new: str | None


def cases(toolset: Toolset, random: Random) -> Iterator[Case]:
    """As many renames as decoys on one tool list."""
    tools = list(toolset.tools)
    chosen = random.sample(tools, min(len(tools), PER_LIST))
    for i, tool in enumerate(chosen):
        yield _rename(toolset, tool, random, thoroughly=i % 2 == 1)
        yield _decoy(toolset, tool)


def _rename(toolset: Toolset, tool: Tool, random: Random, *, thoroughly: bool) -> Case:
    taken = {other.name for other in toolset.tools}
    names = [style(toolset.name.split("-")[0], words(tool.name)) for style in STYLES.values()]
    name = random.choice([name for name in names if name not in taken])
    changed: dict[str, Any] = {"name": name}
    if thoroughly:
        changed["description"] = reworded(tool.description or "", random)
        changed["input_schema"] = with_one_change(tool.input_schema, random)
    new = tool.model_copy(update=changed)
    live = {other.name: other for other in toolset.tools if other.name != tool.name} | {name: new}
    return Case(toolset, live, tool.name, name)


def _decoy(toolset: Toolset, tool: Tool) -> Case:
    others = [other for other in toolset.tools if other.name != tool.name]
    near = max(others, key=lambda other: _likeness(tool, other))
    trained = Toolset(toolset.name, tuple(o for o in toolset.tools if o.name != near.name))
    return Case(trained, {other.name: other for other in others}, tool.name, None)


def _likeness(one: Tool, other: Tool) -> float:
    parts = ((t.name, (t.description or "")[:300], json.dumps(t.input_schema)[:600])
             for t in (one, other))  # fmt: skip
    return sum(
        difflib.SequenceMatcher(None, first, second, autojunk=False).quick_ratio()
        for first, second in zip(*parts, strict=True)
    )


def reworded(text: str, random: Random) -> str:
    """The description in other words: synonyms, another opening, without its last sentence."""
    sentences = re.split(r"(?<=[.!?])\s+", text.strip())
    kept = sentences[:-1] if len(sentences) > 1 else sentences
    said = re.sub(r"[A-Za-z]+", lambda m: _OTHER_WORDS.get(m[0].lower(), m[0]), " ".join(kept))
    opening = random.choice(["Use this to: ", "", "Tool that can do this: ", "Purpose: "])
    return opening + said


def with_one_change(schema: dict[str, Any], random: Random) -> dict[str, Any]:
    """The schema with one argument renamed, retyped, added or taken away."""
    changed = deepcopy(schema)
    members: dict[str, Any] = changed.setdefault("properties", {})
    kind = random.choice(["added", "renamed", "retyped", "removed"]) if members else "added"
    name = random.choice(sorted(members)) if members else "verbose"
    required = changed.get("required", [])
    if kind == "added":
        members["verbose"] = {"type": "boolean", "default": False}
    elif kind == "retyped":
        members[name] = {"type": "array", "items": members[name]}
    else:
        old = members.pop(name)
        if kind == "renamed":
            members[f"target_{name}"] = old
        changed["required"] = [
            f"target_{n}" if n == name else n for n in required if kind == "renamed" or n != name
        ]
    return changed


@dataclass(frozen=True)
class Share:
    """`k` of `n`, with a Wilson interval of 95 %."""

    k: int
    n: int

    def as_dict(self) -> dict[str, Any]:
        """Value and interval, to three digits."""
        if not self.n:
            return {"value": None, "k": 0, "n": 0}
        p, z = self.k / self.n, 1.959964
        middle = (p + z * z / (2 * self.n)) / (1 + z * z / self.n)
        half = z / (1 + z * z / self.n) * math.sqrt(p * (1 - p) / self.n + (z / 2 / self.n) ** 2)
        ends = [round(max(middle - half, 0), 3), round(min(middle + half, 1), 3)]
        return {"value": round(p, 3), "k": self.k, "n": self.n, "ci95": ends}


@dataclass(frozen=True)
class Found:
    """What drift made of many cases."""

    right: int = 0
    claimed: int = 0
    renames: int = 0

    def __add__(self, other: "Found") -> "Found":
        return Found(self.right + other.right, self.claimed + other.claimed,
                     self.renames + other.renames)  # fmt: skip

    @property
    def recall(self) -> Share:
        """Renames found among the renames made."""
        return Share(self.right, self.renames)

    @property
    def precision(self) -> Share:
        """Renames made among the renames found."""
        return Share(self.right, self.claimed)


def measured(toolset: Toolset, seed: int, wrong: list[str] | None = None) -> Found:
    """Find the renames of one tool list; `wrong` collects what went wrong, in words."""
    found = Found()
    for case in cases(toolset, Random(seed)):
        drift = compare(case.trained, case.live)
        claimed = {t.tool: t.renamed_to for t in drift.tools if t.grade == "renamed"}
        right = case.new is not None and claimed.get(case.gone) == case.new
        found += Found(int(right), len(claimed), int(case.new is not None))
        if wrong is not None and (len(claimed) > right or (case.new and not right)):
            wrong.append(f"{case.gone} -> {case.new}: {claimed}")
    return found
