"""The order of training: whole batches of like length, in random order."""

import random
import statistics
from collections import Counter

import pytest

from training.order import arranged

BATCH = 16
_RNG = random.Random(5)
LENGTHS = [_RNG.randint(30, 220) for _ in range(2_003)]


def batches(order: list[int]) -> list[list[int]]:
    return [order[i : i + BATCH] for i in range(0, len(order), BATCH)]


def test_a_pass_takes_every_row_once_but_for_an_incomplete_batch():
    order = arranged(LENGTHS, BATCH, 1.0, 7)
    assert len(order) == round(len(LENGTHS) / BATCH) * BATCH
    assert max(Counter(order).values()) == 1


def test_every_row_is_seen_about_as_often_as_there_are_passes():
    seen = Counter(arranged(LENGTHS, BATCH, 4.0, 7))
    assert min(seen[row] for row in range(len(LENGTHS))) >= 3
    assert max(seen.values()) <= 5


def test_a_part_of_a_pass_is_a_part_of_the_batches():
    assert len(arranged(LENGTHS, BATCH, 0.5, 7)) == round(0.5 * len(LENGTHS) / BATCH) * BATCH


def test_rows_of_a_batch_have_like_lengths():
    order = arranged(LENGTHS, BATCH, 1.0, 7)
    padded = sum(BATCH * max(LENGTHS[row] for row in batch) for batch in batches(order))
    shuffled = random.Random(1).sample(range(len(LENGTHS)), len(order))
    unsorted = sum(BATCH * max(LENGTHS[row] for row in batch) for batch in batches(shuffled))
    assert padded < 1.12 * sum(LENGTHS[row] for row in order)
    assert padded < 0.8 * unsorted


def test_no_stretch_of_batches_is_short_or_long_throughout():
    order = arranged(LENGTHS, BATCH, 1.0, 7)
    means = [statistics.mean(LENGTHS[row] for row in batch) for batch in batches(order)]
    runs = [means[i : i + 20] for i in range(0, len(means) - 20, 20)]
    overall = statistics.mean(means)
    assert all(abs(statistics.mean(run) - overall) < 0.25 * overall for run in runs)


def test_the_same_seed_gives_the_same_order_and_another_seed_another():
    first = arranged(LENGTHS, BATCH, 1.0, 7)
    assert first == arranged(LENGTHS, BATCH, 1.0, 7)
    assert first != arranged(LENGTHS, BATCH, 1.0, 8)


@pytest.mark.parametrize("rows", [1, 5, 16, 17])
def test_fewer_rows_than_a_batch_still_make_whole_batches(rows: int):
    order = arranged(LENGTHS[:rows], BATCH, 1.0, 7)
    assert len(order) == BATCH
    assert set(order) <= set(range(rows))
