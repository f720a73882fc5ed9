"""How alike two tools are, by their names, descriptions and arguments.

Words count by how rare they are among all tools compared: what every tool of a server says tells
nothing. Names are compared as words, whatever the style they are written in (snake_case,
camelCase, kebab-case, dots), with a prefix in front or without it; arguments by their names and
types. Knows tools and words, not which tools are gone.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from mcp.types import Tool

_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[a-z])(?=[0-9])")
_BETWEEN = re.compile(r"[\W_]+")
_STOP = frozenset({
    "a", "an", "and", "any", "are", "as", "at", "be", "by", "can", "for", "from", "given", "has",
    "have", "if", "in", "into", "is", "it", "its", "no", "not", "of", "on", "one", "only", "or",
    "that", "the", "their", "then", "there", "this", "to", "tool", "use", "used", "using", "was",
    "when", "which", "will", "with", "you", "your",
})  # fmt: skip
_ALIKE_VERBS = (
    "get fetch read retrieve show view load obtain", "list enumerate ls", "create add new make",
    "delete remove drop erase", "update edit modify change", "search find query lookup",
    "run execute invoke", "write save store put", "check verify validate test", "send post submit",
)  # fmt: skip
_CHIEF = {word: words.split()[0] for words in _ALIKE_VERBS for word in words.split()}
_CHANGING = frozenset({*_CHIEF, "is", "has", "can", "all", "multi", "batch", "bulk", "un", "non"})
"""Words that in front of a name make it another tool's."""
_ENDINGS = ("ing", "ies", "ed", "es", "s")
_STYLE, _ORDER, _PREFIX, _VERB = 1.0, 0.98, 0.92, 0.88
_OTHER_TYPE = 0.5
_NAMED, _NAMED_IN_PART = 0.76, 0.6
"""How far a name alone goes: one of several words, and one of a single word or another verb."""
_SAME_TEXT, _SAME_ARGUMENTS = 0.95, 0.6
"""What a tool must share at least that has other words in its name."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What is compared of one tool."""

    words: tuple[str, ...]
    told: frozenset[str]
    arguments: Mapping[str, str]

    @property
    def all_words(self) -> frozenset[str]:
        """Every word that the tool can be found by; its name as a whole is one of them."""
        named = {stem(word) for word in self.words} | {"=" + "".join(self.words)}
        return self.told | named | self.arguments.keys()


def traits(tool: Tool) -> Traits:
    """The traits of a tool."""
    told = frozenset(stem(word) for word in words(tool.description or "") if word not in _STOP)
    return Traits(tuple(words(tool.name)), told, _arguments(tool.input_schema))


class Likeness:
    """Compares tools; knows how rare each word is among all of them."""

    def __init__(self, everything: Iterable[Traits]) -> None:
        tools = list(everything)
        self._seen = Counter(word for item in tools for word in item.told)
        self._named = Counter(stem(word) for item in tools for word in set(item.words))
        self._count = max(len(tools), 2)

    def score(self, one: Traits, other: Traits) -> float:
        """How likely both are the same tool, 0 to 1; 0 if their names or their texts forbid it.

        Two names that say the same go far, whatever else changed. Where the names say different
        things the tools are the same only if the descriptions do not: `merge_cells` and
        `unmerge_cells` are alike in everything else.
        """
        told = self.told(one.told, other.told)
        arguments = same_arguments(one.arguments, other.arguments)
        content = 0.6 * told + 0.4 * arguments
        name = _same_name(one, other)
        if name:
            sure = name > _VERB and min(len(one.words), len(other.words)) > 1
            alone = _NAMED if sure else _NAMED_IN_PART
            return round(name * (alone + (1 - alone) * content), 6)
        if told < _SAME_TEXT or arguments < _SAME_ARGUMENTS:
            return 0.0
        first, second = (Counter(map(stem, item.words)) for item in (one, other))
        return round(content * (0.85 + 0.15 * self._dice(first, second, self._named)), 6)

    def told(self, one: frozenset[str], other: frozenset[str]) -> float:
        """How alike two descriptions are; 1 if neither says anything."""
        return self._dice(Counter(one), Counter(other), self._seen) if one or other else 1.0

    def _dice(self, one: Counter[str], other: Counter[str], seen: Counter[str]) -> float:
        def weight(words: Counter[str]) -> float:
            return sum(
                n * math.log(1 + self._count / max(seen[word], 1)) for word, n in words.items()
            )

        whole = weight(one) + weight(other)
        return 2 * weight(one & other) / whole if whole else 0.0


def _same_name(one: Traits, other: Traits) -> float:
    """How surely two names say the same, 0 if they do not; 1 if only their style differs."""
    if "".join(one.words) == "".join(other.words):
        return _STYLE
    if other.words in (one.words[1:] + one.words[:1], one.words[-1:] + one.words[:-1]):
        return _ORDER
    short, long = sorted((one, other), key=lambda item: len(item.words))
    added = long.words[: len(long.words) - len(short.words)]
    if added and short.words and long.words[len(added) :] == short.words:
        # A word that the longer one's description has and the other's has not tells them apart.
        telling = {stem(word) for word in added} & (long.told - short.told)
        return 0.0 if telling or _CHANGING & {*added} else _PREFIX
    verbs = ([_CHIEF.get(word, word) for word in item.words] for item in (one, other))
    return _VERB if len({tuple(sorted(words)) for words in verbs}) == 1 else 0.0


def same_arguments(one: Mapping[str, str], other: Mapping[str, str]) -> float:
    """How alike two sets of arguments are; 1 if neither tool takes any."""
    names = one.keys() | other.keys()
    if not names:
        return 1.0
    shared = one.keys() & other.keys()
    return sum(1.0 if one[n] == other[n] else _OTHER_TYPE for n in shared) / len(names)


def words(text: str) -> list[str]:
    """The words of a name or a text in small letters; pairs of signs beyond ASCII."""
    found: list[str] = []
    for part in _BETWEEN.split(_HUMPS.sub(" ", text)):
        if part.isascii() or len(part) <= 2:
            found += [part.lower()] if part else []
        else:
            found += [part[i : i + 2].lower() for i in range(len(part) - 1)]
    return found


@lru_cache(4096)
def stem(word: str) -> str:
    """A word without its commonest English endings."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)].rstrip("e")
    return word.rstrip("e") if len(word) > 3 else word


def _arguments(schema: Mapping[str, Any]) -> dict[str, str]:
    """Argument, its name's style aside -> its type, as far as the schema says it at once."""
    members = schema.get("properties")
    if not isinstance(members, dict):
        return {}
    named = cast(dict[str, Any], members)
    return {"".join(words(name)): _type(value) for name, value in named.items()}


def _type(schema: Any) -> str:
    if not isinstance(schema, dict):
        return ""
    node = cast(dict[str, Any], schema)
    branches = node.get("anyOf") or node.get("oneOf")
    if isinstance(branches, list):
        return "|".join(sorted({_type(branch) for branch in cast(list[Any], branches)} - {"null"}))
    types = node.get("type")
    if isinstance(types, list):
        return "|".join(sorted({str(name) for name in cast(list[Any], types)} - {"null"}))
    return str(types or "")
