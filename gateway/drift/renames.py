"""Which tools that are gone live on under another name.

Each gone tool is scored against the new tools that share its rarer words, and the best pairs are
taken first; a tool has one successor at most, and a score below the threshold means none. The
search is bounded: a tool is scored against a few candidates, whatever the size of the lists.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from mcp.types import Tool

from gateway.drift.likeness import Likeness, Traits, traits

THRESHOLD = 0.7
"""The score from which two tools count as one; `tests/bench/drift.py` measures what it costs."""
_CANDIDATES = 8
_COMMON = 64
_SAMPLE = 100
"""Tools that have their old names, of which the commonness of words is learnt."""


def successors(
    trained: Mapping[str, Tool], live: Mapping[str, Tool]
) -> dict[str, tuple[str, float]]:
    """Gone tool -> (its name now, score), for those of the trained tools that are renamed."""
    gone = {name: traits(tool) for name, tool in trained.items() if name not in live}
    unseen = {name: traits(tool) for name, tool in live.items() if name not in trained}
    if not gone or not unseen:
        return {}
    kept = [name for name in trained if name in live]
    some = kept[:: len(kept) // _SAMPLE + 1]
    likeness = Likeness((*gone.values(), *unseen.values(), *(traits(trained[n]) for n in some)))
    index = _index(unseen)
    return _pick(
        (likeness.score(own, unseen[name]), old, name)
        for old, own in gone.items()
        for name in _candidates(own, index)
    )


def _pick(scored: Iterable[tuple[float, str, str]]) -> dict[str, tuple[str, float]]:
    found: dict[str, tuple[str, float]] = {}
    taken: set[str] = set()
    for score, old, new in sorted(scored, key=lambda item: (-item[0], *item[1:])):
        if score >= THRESHOLD and old not in found and new not in taken:
            found[old] = (new, score)
            taken.add(new)
    return found


def _index(tools: Mapping[str, Traits]) -> dict[str, list[str]]:
    """Word -> the tools it stands in, without words that too many share."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name, item in tools.items():
        for word in item.all_words:
            found[word].append(name)
    return {word: names for word, names in found.items() if len(names) <= _COMMON}


def _candidates(tool: Traits, index: Mapping[str, list[str]]) -> list[str]:
    """The tools that share the most words, a rarer word counting more."""
    shared: Counter[str] = Counter()
    for word in tool.all_words:
        names = index.get(word, ())
        for name in names:
            shared[name] += 1_000 // len(names)
    best = sorted(shared.items(), key=lambda item: (-item[1], item[0]))
    return [name for name, _ in best[:_CANDIDATES]]
