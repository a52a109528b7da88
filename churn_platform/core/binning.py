"""Bins of equal counts, null a bin of its own: what stability, information and rank of a feature are measured on."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from churn_platform.errors import InputError

Floats = NDArray[np.float64]


def equal_count_edges(sample: ArrayLike, bins: int) -> Floats:
    """Inner edges of at most `bins` bins that hold equal counts of the sample's values, shape (edges,); ascending.

    Fewer where values repeat; none where all are null (NaN).

    Raises:
        InputError: fewer than two bins.
    """
    if bins < 2:
        raise InputError(f"Bins of equal counts need at least 2 bins, but got {bins}.")
    values = np.asarray(sample, dtype=np.float64).ravel()
    present = values[~np.isnan(values)]
    if not len(present):
        return np.empty(0)
    return np.unique(np.quantile(present, np.arange(1, bins) / bins, method="inverted_cdf"))


def bin_of(sample: ArrayLike, edges: Floats) -> NDArray[np.int64]:
    """The bin of each value, shape (rows,): 0 up to the first edge included, len(edges) above the last, then null."""
    values = np.asarray(sample, dtype=np.float64).ravel()
    return np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values, side="left"))
