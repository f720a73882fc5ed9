"""The order in which rows are trained on: rows of like length together, batches in random order.

Batches of like length save padding. Sorting by length over long stretches (as samplers that group
by length do) must be avoided: short rows are mostly no_tool, and a model that has just seen fifty
batches of them answers no_tool to everything.
"""

import random
from collections.abc import Sequence

_POOL = 12
"""Batches that are sorted by length among each other; small against the number of batches."""


def arranged(lengths: Sequence[int], batch_size: int, epochs: float, seed: int) -> list[int]:
    """Row numbers in training order: whole batches, `epochs` passes over the rows.

    The last rows of a pass that fill no batch are left to the next one's shuffle.
    """
    rng = random.Random(seed)
    wanted = max(1, round(epochs * len(lengths) / batch_size))
    order: list[int] = []
    while len(order) < wanted * batch_size:
        rows = list(range(len(lengths)))
        rng.shuffle(rows)
        batches: list[list[int]] = []
        for start in range(0, len(rows), _POOL * batch_size):
            pool = sorted(rows[start : start + _POOL * batch_size], key=lengths.__getitem__)
            batches += [pool[i : i + batch_size] for i in range(0, len(pool), batch_size)]
        full = [batch for batch in batches if len(batch) == batch_size] or [
            (rows * batch_size)[:batch_size]
        ]
        rng.shuffle(full)
        order += [row for batch in full for row in batch]
    return order[: wanted * batch_size]
