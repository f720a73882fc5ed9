"""Duplicates: rows that say the same, within a split (a warning) and across splits (an error).

From the strongest to the weakest, and each reported once: the same text, the same masked form
(`training.check.masks`), nearly the same masked form. Near means that two forms share at least 80 %
of their three-word shingles, or of their words if one has fewer than six (Jaccard similarity,
Broder 1997). Pairs are found exactly, not by sampling: sets that similar must share one of their
rarest elements, so only these are indexed (prefix filtering, Bayardo et al. 2007).
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from training.check.labels import wants
from training.check.masks import Conversation, Form, Masked
from training.check.report import Finding, Severity, shown

NEAR = 0.8
SHINGLE_WORDS = 3
_SHORT_WORDS = 6
_TOLERANCE = 1e-9


def duplicates(rows: Sequence[Masked]) -> Iterator[Finding]:
    """Same and nearly same rows, of all splits at once."""
    groups: dict[Form, list[Masked]] = defaultdict(list)
    for item in rows:
        # A request of signs alone has no words; only its equal is its duplicate.
        groups[item.form or (item.row.text.strip(),)].append(item)
    for form, group in groups.items():
        if len(group) > 1:
            yield from _same(form, group)
    kinds = list(groups)
    for first, second, similarity in near_pairs(kinds):
        yield from _near(groups[kinds[first]], groups[kinds[second]], similarity)


def _same(form: Form, group: Sequence[Masked]) -> Iterator[Finding]:
    """Findings of rows that share one masked form."""
    texts = _texts(group)
    for equal in texts:
        if _splits(equal) > 1:
            yield _finding("error", "leak_text", equal[0].row.text, equal)
    if len(texts) > 1 and _splits(group) > 1:
        yield _finding("error", "leak_form", " ".join(form), group)
    for split in sorted({item.split for item in group}):
        own = [item for item in group if item.split == split]
        for equal in _texts(own):
            if len(equal) > 1:
                yield _finding("warning", "duplicate_text", equal[0].row.text, equal)
        if len(_texts(own)) > 1:
            yield _finding("warning", "duplicate_form", " ".join(form), own)


def _texts(group: Iterable[Masked]) -> list[list[Masked]]:
    texts: dict[Conversation, list[Masked]] = defaultdict(list)
    for item in group:
        texts[item.conversation].append(item)
    return list(texts.values())


def _splits(group: Iterable[Masked]) -> int:
    return len({item.split for item in group})


def _finding(severity: Severity, rule: str, said: str, group: Iterable[Masked]) -> Finding:
    return Finding(severity, rule, shown(said), tuple(item.place for item in group))


def _near(left: Sequence[Masked], right: Sequence[Masked], similarity: float) -> Iterator[Finding]:
    detail = f"{similarity:.2f} alike: {shown(left[0].row.text)} and {shown(right[0].row.text)}"
    wanted = wants(left[0].row), wants(right[0].row)
    if wanted[0] != wanted[1]:
        detail += f", wanting {wanted[0]} and {wanted[1]}"
    both = [*left, *right]
    ours, theirs = {item.split for item in left}, {item.split for item in right}
    if any(own != other for own in ours for other in theirs):
        yield Finding("error", "leak_near", detail, tuple(item.place for item in both))
    for split in sorted(ours & theirs):
        places = tuple(item.place for item in both if item.split == split)
        yield Finding("warning", "duplicate_near", detail, places)


def near_pairs(forms: Sequence[Form]) -> Iterator[tuple[int, int, float]]:
    """Pairs of different forms that are near, as their numbers and their similarity, 0.8 to 1."""
    words = [frozenset(form) for form in forms]
    # A set of five words at most has no near one that is larger than this.
    few = [n for n, found in enumerate(words) if len(found) * NEAR <= _SHORT_WORDS - 1]
    for first, second, similarity in _join([words[n] for n in few]):
        a, b = few[first], few[second]
        if min(len(forms[a]), len(forms[b])) < _SHORT_WORDS:
            yield min(a, b), max(a, b), similarity
    many = [n for n, form in enumerate(forms) if len(form) >= _SHORT_WORDS]
    for first, second, similarity in _join([_shingles(forms[n]) for n in many]):
        a, b = many[first], many[second]
        yield min(a, b), max(a, b), similarity


def _shingles(form: Form) -> frozenset[str]:
    count = len(form) - SHINGLE_WORDS + 1
    return frozenset(" ".join(form[start : start + SHINGLE_WORDS]) for start in range(count))


def _join(sets: Sequence[frozenset[str]]) -> Iterator[tuple[int, int, float]]:
    """All pairs of sets with a Jaccard similarity of at least `NEAR`, in a fixed order."""
    frequency = Counter(element for found in sets for element in found)
    index: dict[str, list[int]] = defaultdict(list)
    for number in sorted(range(len(sets)), key=lambda n: (len(sets[n]), n)):
        own = sets[number]
        rarest = sorted(own, key=lambda element: (frequency[element], element))
        prefix = rarest[: len(own) - math.ceil(NEAR * len(own) - _TOLERANCE) + 1]
        candidates = {other for element in prefix for other in index[element]}
        for other in sorted(candidates):
            if len(sets[other]) >= NEAR * len(own) - _TOLERANCE:
                common = len(own & sets[other])
                similarity = common / (len(own) + len(sets[other]) - common)
                if similarity >= NEAR - _TOLERANCE:
                    yield other, number, similarity
        for element in prefix:
            index[element].append(number)
