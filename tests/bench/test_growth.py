"""The soak's rule tells a leak from what a process needs to warm up."""

import os

import pytest

from tests.bench.growth import Sample, growth, sample

MB = 1_000_000


def test_what_grows_only_while_it_warms_up_passes() -> None:
    found = growth([Sample(n, min(100 + n, 130) * MB, min(20 + n, 60)) for n in range(100)])
    assert (found.bytes, found.files, found.within) == (0, 0, True)


def test_a_steady_growth_of_memory_is_a_leak() -> None:
    found = growth([Sample(n, (100 + n // 2) * MB, 20) for n in range(100)])
    assert not found.within


def test_files_that_are_never_closed_are_a_leak() -> None:
    found = growth([Sample(n, 100 * MB, 20 + n) for n in range(100)])
    assert not found.within


def test_too_few_samples_are_no_verdict() -> None:
    with pytest.raises(ValueError, match="4 samples"):
        growth([Sample(n, MB, 1) for n in range(4)])


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs Linux")
def test_a_sample_counts_the_files_of_the_process() -> None:
    before = sample(os.getpid(), 0)
    with open(os.devnull):
        assert sample(os.getpid(), 1).files == before.files + 1
    assert before.bytes > MB
