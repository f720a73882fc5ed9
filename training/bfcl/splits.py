"""A training and a test part of BFCL that share no tool.

Cases that offer a tool of one name belong together, whatever else they offer; such groups go to
one part as a whole. A group too large for the test part is trained on. Names are compared as
agents see them (`a.b` is `a_b`) and without regard to case.
"""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from training.bfcl.files import Case

SEED = 7
TEST_SHARE = 0.3


@dataclass(frozen=True)
class Split:
    """The two parts, each in the order the cases came in."""

    train: tuple[Case, ...]
    test: tuple[Case, ...]

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Part -> category -> number of cases."""
        return {"train": _counts(self.train), "test": _counts(self.test)}


def split(cases: Sequence[Case], *, seed: int = SEED, test_share: float = TEST_SHARE) -> Split:
    """Split by tool. The same cases in any order and the same seed give the same parts.

    `test_share` is the share of all cases, 0 to 1, that the test part may have at most. A case
    without tools teaches none and is tested on.
    """
    groups = _groups(cases)
    order = sorted(groups)
    random.Random(seed).shuffle(order)
    room = test_share * len(cases)
    tested = {case.id for case in cases if not case.tool_names}
    for name in order:
        if len(tested) + len(groups[name]) <= room:
            tested |= groups[name]
    return Split(
        train=tuple(case for case in cases if case.id not in tested),
        test=tuple(case for case in cases if case.id in tested),
    )


def _groups(cases: Sequence[Case]) -> dict[str, set[str]]:
    """First tool name of a group (alphabetically) -> ids of the cases that are linked by tools."""
    leader: dict[str, str] = {}

    def root(name: str) -> str:
        while leader.setdefault(name, name) != name:
            name = leader[name]
        return name

    for case in cases:
        names = sorted({root(name) for name in _names(case)})
        for name in names[1:]:
            leader[name] = names[0]
    groups: dict[str, set[str]] = {}
    for case in cases:
        for name in _names(case)[:1]:
            groups.setdefault(root(name), set()).add(case.id)
    return groups


def _names(case: Case) -> list[str]:
    return [name.casefold() for name in case.offer.toolset.by_name]


def _counts(cases: Iterable[Case]) -> dict[str, int]:
    return dict(Counter(case.category for case in cases))
