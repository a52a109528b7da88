"""Population stability index: how far a distribution has moved."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from churn_platform.core.binning import bin_of, equal_count_edges
from churn_platform.errors import NotEnoughData

PSEUDO_COUNT = 0.5


def psi(expected: ArrayLike, actual: ArrayLike, *, bins: int = 10) -> float:
    """Sum over bins of (actual share - expected share) x ln(actual share / expected share).

    The bins hold equal counts of `expected`; null (NaN) is a bin of its own. Half a row is added to either
    side of a bin, so that an empty one stays finite. Rule of thumb: below 0.1 stable, above 0.25 moved.

    Raises:
        InputError: fewer than two bins.
        NotEnoughData: either sample is empty.
    """
    before, after = (np.asarray(sample, dtype=np.float64).ravel() for sample in (expected, actual))
    if not len(before) or not len(after):
        raise NotEnoughData(f"psi compares two samples, but they have {len(before)} and {len(after)} rows.")
    edges = equal_count_edges(before, bins)

    def counts(sample: NDArray[np.float64]) -> NDArray[np.int64]:
        return np.bincount(bin_of(sample, edges), minlength=len(edges) + 2)

    return divergence(counts(before), counts(after))


def divergence(first: ArrayLike, second: ArrayLike) -> float:
    """Sum over bins of (second share - first share) x ln(second share / first share).

    Half a row is added to either side of a bin; a bin that is empty on both sides is none.

    Args:
        first, second: rows per bin, shape (bins,).
    """
    rows = np.array([first, second], dtype=np.float64)
    before, after = rows[:, rows.any(axis=0)] + PSEUDO_COUNT
    share_before, share_after = before / before.sum(), after / after.sum()
    return float(((share_after - share_before) * np.log(share_after / share_before)).sum())
