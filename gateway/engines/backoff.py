"""Pauses between attempts that fail, for whatever is started again and again."""


def backoff(failures: int, first: float, longest: float, chance: float) -> float:
    """Seconds to wait after so many failures in a row; none before the first.

    The step doubles from `first` to `longest`; the pause is between half of it and all of it, by
    `chance` (0 to 1), so that what fell together does not come back together.
    """
    if not failures:
        return 0.0
    return min(longest, first * 2.0 ** min(failures - 1, 32)) * (0.5 + chance / 2)
