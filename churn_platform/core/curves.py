"""The curves of an evaluation, as points to draw: ROC, gain, lift, separation, reliability, distribution.

`y` is 1 for churned, `p` is P(churn), one row per user; both classes are there. Users of equal probability move
together.
"""

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from churn_platform.core.binning import bin_of, equal_count_edges

Floats = NDArray[np.float64]

_POINTS = 200
_Z = 1.96


def roc(y: ArrayLike, p: ArrayLike) -> pl.DataFrame:
    """Columns false_positive_rate and true_positive_rate, from (0, 0) to (1, 1), over falling thresholds."""
    _, lost, kept = _cumulated(y, p)
    return _thinned({"false_positive_rate": kept / kept[-1], "true_positive_rate": lost / lost[-1]})


def gain(y: ArrayLike, p: ArrayLike) -> pl.DataFrame:
    """Columns contacted (share of users, highest probability first) and reached (share of all churners among them)."""
    _, lost, kept = _cumulated(y, p)
    everybody = lost + kept
    return _thinned({"contacted": everybody / everybody[-1], "reached": lost / lost[-1]})


def lift_by_decile(y: ArrayLike, p: ArrayLike) -> pl.DataFrame:
    """Columns decile (1 = the tenth with the highest probabilities), churn_rate, lift (over the churn rate of all).

    Tenths are of equal size, so that users of equal probability may stand on both sides of an edge, in the order given.
    """
    outcome, score = _checked(y, p)
    place = np.argsort(np.argsort(-score, kind="stable"), kind="stable")
    decile = (10 * place) // len(score)
    rate = np.array([outcome[decile == number].mean() for number in np.unique(decile)])
    return pl.DataFrame({"decile": np.unique(decile) + 1, "churn_rate": rate, "lift": rate / outcome.mean()})


def separation(y: ArrayLike, p: ArrayLike) -> pl.DataFrame:
    """Columns probability, churners and stayers: the shares of either that score at least so high.

    Their largest distance is the Kolmogorov-Smirnov statistic.
    """
    score, lost, kept = _cumulated(y, p)
    return _thinned({"probability": score, "churners": lost / lost[-1], "stayers": kept / kept[-1]})


def reliability(y: ArrayLike, p: ArrayLike, *, bins: int = 10) -> pl.DataFrame:
    """One row per bin of about equal counts: users, predicted (mean probability), observed (churn rate), lower, upper.

    lower and upper are the `wilson_interval` of the rate.
    """
    outcome, score = _checked(y, p)
    number = bin_of(score, equal_count_edges(score, bins))
    users = np.bincount(number)
    filled = users > 0
    users = users[filled]
    predicted = np.bincount(number, weights=score)[filled] / users
    observed = np.bincount(number, weights=outcome)[filled] / users
    lower, upper = wilson_interval(observed, users)
    return pl.DataFrame({"users": users, "predicted": predicted, "observed": observed, "lower": lower, "upper": upper})


def wilson_interval(rate: ArrayLike, users: ArrayLike) -> tuple[Floats, Floats]:
    """95 % interval of a rate among so many users (Wilson 1927, 'Probable Inference, the Law of Succession, and
    Statistical Inference', JASA 22). It holds the rate, also at 0 and 1, where the formula's last bits may not."""
    observed, count = np.asarray(rate, dtype=np.float64), np.asarray(users, dtype=np.float64)
    middle = (observed + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    half = _Z / (1 + _Z**2 / count) * np.sqrt(observed * (1 - observed) / count + _Z**2 / (4 * count**2))
    return np.clip(middle - half, 0.0, observed), np.clip(middle + half, observed, 1.0)


def distribution(p: ArrayLike, *, bins: int = 20) -> pl.DataFrame:
    """Columns probability (middle of a bin of equal width) and share of users in it."""
    counts, edges = np.histogram(np.asarray(p, dtype=np.float64), bins=bins, range=(0.0, 1.0))
    return pl.DataFrame({"probability": (edges[:-1] + edges[1:]) / 2, "share": counts / max(counts.sum(), 1)})


def _checked(y: ArrayLike, p: ArrayLike) -> tuple[Floats, Floats]:
    return np.asarray(y, dtype=np.float64), np.asarray(p, dtype=np.float64)


def _cumulated(y: ArrayLike, p: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """(probability, churners, stayers) at or above each distinct probability, highest first, after a row of 1, 0, 0."""
    outcome, score = _checked(y, p)
    levels, group = np.unique(-score, return_inverse=True)
    lost = np.cumsum(np.bincount(group, weights=outcome))
    kept = np.cumsum(np.bincount(group, weights=1 - outcome))
    return np.r_[1.0, -levels], np.r_[0.0, lost], np.r_[0.0, kept]


def _thinned(columns: dict[str, Floats]) -> pl.DataFrame:
    """At most about _POINTS rows, the first and the last among them."""
    rows = len(next(iter(columns.values())))
    kept = np.unique(np.linspace(0, rows - 1, min(rows, _POINTS)).astype(np.int64))
    return pl.DataFrame({name: values[kept] for name, values in columns.items()})
