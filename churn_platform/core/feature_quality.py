"""How much each feature tells about churn by itself, how stable it is, and which features tell the same."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.csgraph import connected_components

from churn_platform.core.binning import bin_of, equal_count_edges
from churn_platform.core.feature_matrix import feature_matrix
from churn_platform.core.psi import divergence
from churn_platform.errors import NotEnoughData

BINS = 10
SAME_FROM = 0.95
_ROWS_FOR_CORRELATION = 20_000

Floats = NDArray[np.float64]


def feature_quality(
    features: pl.DataFrame, churned: ArrayLike, scored: pl.DataFrame, names: Sequence[str]
) -> pl.DataFrame:
    """Measure every feature on the labelled rows, and its drift to the rows that are scored today.

    All but the correlation are taken on ten bins of equal counts, null a bin of its own, so that a feature that tells
    by being null, or by lying in the middle, is not missed. A bin's churn rate is taken from one half of the rows
    and judged on the other, both ways round, so that chance tells nothing.

    Args:
        features: one row per customer and labelled snapshot.
        churned: 1 churned, 0 stayed, of each row.
        scored: one row per customer of the newest snapshot.
        names: the features, columns of both frames.

    Returns:
        Grain feature, in the order of `names`: feature; coverage, the share of labelled rows with a value; auc, of the
        churn rate of the feature's bin as a score (.5 tells nothing, 1 everything); information_value, the sum over
        bins of (share of stayers - share of churners) x ln(share of stayers / share of churners) (Siddiqi, 'Credit
        Risk Scorecards', 2006, ch. 6: below .02 of no use, above .5 suspicious); psi, from the labelled rows to the
        scored ones; correlation_group, the name of the most informative of the features whose bins correlate by .95 or
        more with one another, in chains; null where there is no other.

    Raises:
        InputError: a feature is missing from a frame, is not numeric, or holds an infinite value.
        NotEnoughData: nobody churned, or all did; or nobody is scored.
    """
    outcome = np.asarray(churned, dtype=np.float64)
    if len(np.unique(outcome)) < 2:
        raise NotEnoughData("What features tell about churn needs both churners and stayers. Load a longer history.")
    if scored.is_empty():
        raise NotEnoughData("The newest snapshot has no eligible customer to compare the features with.")
    labelled, today = feature_matrix(features, names), feature_matrix(scored, names)
    edges = [equal_count_edges(labelled[:, position], BINS) for position in range(len(names))]
    bins = np.column_stack([bin_of(labelled[:, at], cuts) for at, cuts in enumerate(edges)]).astype(np.int8)

    # by half and outcome
    quarter = 2 * (np.arange(len(outcome)) % 2) + outcome.astype(np.int64)
    measured = [
        {
            "feature": name,
            "coverage": float(1 - np.isnan(labelled[:, at]).mean()),
            **_told_by_bins(quarter, bins[:, at], bin_of(today[:, at], edges[at]), len(edges[at]) + 2),
        }
        for at, name in enumerate(names)
    ]
    values = [float(str(row["information_value"])) for row in measured]
    groups = correlation_groups(bins, names, values)
    return pl.DataFrame(measured).with_columns(correlation_group=pl.Series(groups, dtype=pl.String))


def _told_by_bins(
    quarter: NDArray[np.int64], bins: NDArray[np.int8], bins_today: NDArray[np.int64], size: int
) -> dict[str, float]:
    """auc, information_value and psi of a feature with `size` bins; `quarter` is 2 x half + outcome of each row."""
    counts = np.bincount(quarter * size + bins, minlength=4 * size).reshape(2, 2, size)
    stayers, churners = counts.sum(axis=0)
    return {
        "auc": cross_fitted_auc(counts),
        "information_value": divergence(stayers, churners),
        "psi": divergence(stayers + churners, np.bincount(bins_today, minlength=size)),
    }


def cross_fitted_auc(counts: ArrayLike) -> float:
    """The mean over both halves of the AUC of the bins' churn rates in the other half.

    Args:
        counts: rows by half, outcome (stayed, churned) and bin, shape (2, 2, bins).
    """
    first, second = np.asarray(counts, dtype=np.float64)
    return (_binned_auc(first, _rates(second)) + _binned_auc(second, _rates(first))) / 2


def _rates(half: Floats) -> Floats:
    """Churn rate by bin, half a row of the mean rate added, so that an empty bin lies in the middle."""
    stayers, churners = half
    mean = churners.sum() / max(half.sum(), 1.0)
    return np.asarray((churners + mean / 2) / (churners + stayers + 0.5))


def _binned_auc(half: Floats, score: Floats) -> float:
    """P(a churner's bin has a higher score than a stayer's), bins of equal score counting half; .5 without a pair."""
    _, group = np.unique(np.round(score, 12), return_inverse=True)
    stayers, churners = (np.bincount(group, weights=rows) for rows in half)
    pairs = churners.sum() * stayers.sum()
    below = np.cumsum(stayers) - stayers / 2
    return float((churners * below).sum() / pairs) if pairs else 0.5


def correlation_groups(bins: NDArray[np.int8], names: Sequence[str], weight: Sequence[float]) -> list[str | None]:
    """Per feature, the member of greatest weight of its group, or None where it is alone.

    Args:
        bins: shape (rows, features); at most 20,000 rows, evenly spaced, are looked at.
        weight: of each feature.
    """
    sample = bins[:: max(1, -(-len(bins) // _ROWS_FOR_CORRELATION))].astype(np.float32)
    sample -= sample.mean(axis=0)
    length = np.sqrt((sample**2).sum(axis=0))
    scaled = sample / np.where(length > 0, length, 1)
    _, group = connected_components(np.abs(scaled.T @ scaled) >= SAME_FROM, directed=False)
    named: list[str | None] = [None] * len(names)
    for members in (np.flatnonzero(group == number) for number in range(group.max() + 1)):
        if len(members) > 1:
            leader = max(members.tolist(), key=lambda at: weight[at])
            for at in members:
                named[at] = names[leader]
    return named
