"""Population stability index: how far a distribution has moved."""

import numpy as np
from numpy.typing import ArrayLike

from churn_platform.errors import InputError, NotEnoughData

_PSEUDO_COUNT = 0.5


def psi(expected: ArrayLike, actual: ArrayLike, *, bins: int = 10) -> float:
    """Sum over bins of (actual share - expected share) x ln(actual share / expected share).

    The bins hold equal counts of `expected`; null (NaN) is a bin of its own. Half a row is added to every bin, so that
    an empty one stays finite. Rule of thumb: below 0.1 stable, above 0.25 moved.

    Raises:
        InputError: fewer than two bins.
        NotEnoughData: either sample is empty.
    """
    if bins < 2:
        raise InputError(f"psi needs at least 2 bins, but got {bins}.")
    before, after = (np.asarray(sample, dtype=np.float64).ravel() for sample in (expected, actual))
    if not len(before) or not len(after):
        raise NotEnoughData(f"psi compares two samples, but they have {len(before)} and {len(after)} rows.")
    present = before[~np.isnan(before)]
    quantiles = np.arange(1, bins) / bins
    edges = np.unique(np.quantile(present, quantiles, method="inverted_cdf")) if len(present) else np.empty(0)

    def shares(sample: np.ndarray) -> np.ndarray:
        bin_of_row = np.where(np.isnan(sample), len(edges) + 1, np.searchsorted(edges, sample, side="left"))
        counts = np.bincount(bin_of_row, minlength=len(edges) + 2) + _PSEUDO_COUNT
        return np.asarray(counts / counts.sum())

    share_before, share_after = shares(before), shares(after)
    return float(((share_after - share_before) * np.log(share_after / share_before)).sum())
