"""Whether a process keeps growing: the rule of the soak, over samples of its memory and files.

The first two fifths of the calls warm the process up: caches fill, connections open. What counts is
how the median of the last fifth differs from that of the third: by at most a twentieth of the
memory or 8 MB, whichever is more, and at most a twentieth of the open files or 10. Medians, for
single samples jump with what is in flight.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

_SHARE = 0.05
_LEAST_BYTES = 8_000_000
_LEAST_FILES = 10


@dataclass(frozen=True, slots=True)
class Sample:
    """Resident bytes and open files of a process after a number of calls."""

    calls: int
    bytes: int
    files: int


@dataclass(frozen=True, slots=True)
class Growth:
    """What was added after the warm-up, and what may be."""

    bytes: int
    files: int
    allowed_bytes: int
    allowed_files: int

    @property
    def within(self) -> bool:
        """Whether the rule holds."""
        return self.bytes <= self.allowed_bytes and self.files <= self.allowed_files


def growth(samples: Sequence[Sample]) -> Growth:
    """Judge samples, in their order. Raises ValueError with fewer than five."""
    if len(samples) < 5:
        raise ValueError(f"{len(samples)} samples say nothing of growth; five are the least")
    fifth = len(samples) // 5
    early, late = samples[2 * fifth : 3 * fifth], samples[-fifth:]
    memory, files = median(s.bytes for s in early), median(s.files for s in early)
    return Growth(
        bytes=round(median(s.bytes for s in late) - memory),
        files=round(median(s.files for s in late) - files),
        allowed_bytes=round(max(_SHARE * memory, _LEAST_BYTES)),
        allowed_files=round(max(_SHARE * files, _LEAST_FILES)),
    )


def sample(pid: int, calls: int) -> Sample:
    """Look at a process now, in Linux's `/proc`."""
    proc = Path("/proc") / str(pid)
    pages = int((proc / "statm").read_text().split()[1])
    return Sample(calls, pages * os.sysconf("SC_PAGE_SIZE"), len(os.listdir(proc / "fd")))
